"""Real harnesses from the npm registry: installed once, and only where they are asked for."""

import os
import shutil

import pytest
from support.npm import NodeTooOldError, RegistryUnreachableError, install

pytest.register_assert_rewrite("support.harness_telemetry", "support.harness_truth", "support.harnesses")


def pytest_collection_modifyitems(items):
    """Neither npm nor the network is needed for `make test`: what asks for one of these two fixtures is skipped there."""
    reason = "npm is not installed" if shutil.which("npm") is None else None
    if not os.environ.get("MOSAIC_TELEMETRY_HARNESSES"):
        reason = "installs programs of hundreds of MB from the npm registry: `make harnesses` runs it"
    for item in items:
        if item.path.parent.name == "harnesses" and {"installed", "registry"} & set(item.fixturenames):
            item.add_marker(pytest.mark.timeout(900))
            if reason:
                item.add_marker(pytest.mark.skip(reason))


@pytest.fixture(scope="session")
def installed():
    """Takes a pin and gives its program. A registry that does not answer is no fault of ours; a wrong pin is."""

    def get(pin):
        try:
            return install(pin)
        except (NodeTooOldError, RegistryUnreachableError) as problem:
            pytest.skip(str(problem))

    return get
