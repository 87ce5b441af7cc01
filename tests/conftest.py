"""For all tests: nothing of the person who runs them is read or written."""

import os

import pytest
from hypothesis import settings


@pytest.fixture(scope="session", autouse=True)
def own_directories(tmp_path_factory):
    """State and data directories of their own, and no settings from the environment."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(("XDG_", "MOSAIC_TELEMETRY_", "TELEMETRY_")) or name == "DO_NOT_TRACK"}
    for name in kept:
        if name != "MOSAIC_TELEMETRY_TEST_DATA":
            del os.environ[name]
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))
    os.environ["XDG_DATA_HOME"] = str(tmp_path_factory.mktemp("data"))
    yield
    os.environ.update(kept)


# A loaded machine is no reason to fail: speed is measured in benchmarks.
settings.register_profile("ours", deadline=None)
settings.load_profile("ours")
