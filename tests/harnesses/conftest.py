"""Real harnesses from the npm registry: installed once, and only where they are asked for."""

import os
import shutil

import pytest
from support.npm import NodeTooOldError, RegistryUnreachableError, install

pytest.register_assert_rewrite("support.harness_truth", "support.harnesses")


def pytest_collection_modifyitems(items):
    """Hundreds of megabytes are no part of `make test`."""
    wanted = bool(os.environ.get("MOSAIC_TELEMETRY_HARNESSES"))
    for item in items:
        if item.path.parent.name == "harnesses":
            item.add_marker(pytest.mark.timeout(900))
            if not wanted:
                item.add_marker(pytest.mark.skip(reason="installs harnesses from the npm registry, hundreds of MB: `make harnesses` runs it"))


@pytest.fixture(scope="session")
def installed():
    """Takes a pin and gives its program. A registry that does not answer is no fault of ours; a wrong pin is."""

    def get(pin):
        if shutil.which("npm") is None:
            pytest.skip("npm is not installed")
        try:
            return install(pin)
        except (NodeTooOldError, RegistryUnreachableError) as problem:
            pytest.skip(str(problem))

    return get
