"""Release tools as the CI starts them: commands in processes of their own, against a forge on this machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.forge import Forge

ROOT = Path(__file__).parents[2]


@pytest.fixture
def forge():
    with Forge() as running:
        yield running


@pytest.fixture
def release(forge):
    """Run scripts/release.py with what the CI would set."""

    def run(*words, **environment):
        env = {name: value for name, value in os.environ.items() if not name.startswith(("CI_", "GITHUB_", "REGISTRY_", "FORGE_", "TWINE_"))}
        env |= forge.environment | environment | {"NO_PROXY": "127.0.0.1"}
        command = [sys.executable, str(ROOT / "scripts/release.py"), *map(str, words)]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=100, check=False)

    return run
