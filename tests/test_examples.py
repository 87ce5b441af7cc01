"""Every example runs as a person would run it, against a real server."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.server import ServerProcess, create_instance

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))
ACCEPTED = {"orchestrator.py": 2, "async_service.py": 5}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with ServerProcess(tmp_path_factory.mktemp("server") / "telemetry.db") as process:
        yield process


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_example(server, example):
    access = create_instance(server.database)
    env = {
        **os.environ,
        "MOSAIC_TELEMETRY_SERVER_URL": server.url,
        "MOSAIC_TELEMETRY_API_KEY": access.api_key,
        "MOSAIC_TELEMETRY_INSTANCE_ID": access.instance_id,
    }
    done = subprocess.run([sys.executable, str(example)], env=env, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == f"accepted: {ACCEPTED[example.name]}"
    assert done.stderr == ""
