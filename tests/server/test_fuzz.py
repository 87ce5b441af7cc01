"""The server against its own OpenAPI document: requests that fit it and requests that do not, made up by schemathesis."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.server import ServerProcess, create_instance

SOAK = os.environ.get("MOSAIC_TELEMETRY_SOAK") == "1"
EXAMPLES = 300 if SOAK else 4

# `since` and `until` are a stretch of days, which is a rule between two parameters: OpenAPI cannot say it.
CONFIG = """
[auth.openapi.apiKey]
bearer = "{api_key}"
[auth.openapi.adminKey]
bearer = "{admin_key}"
[[operations]]
include-name = ["GET /v1/totals", "GET /v1/admin/usage"]
checks.positive_data_acceptance.enabled = false
"""


@pytest.mark.timeout(1800 if SOAK else 120)
def test_no_request_makes_the_server_fail_or_answer_what_it_does_not_promise(tmp_path):
    program = Path(sys.executable).with_name("schemathesis")
    if not program.exists():
        pytest.skip("schemathesis is not installed: pip install --group test")
    database = tmp_path / "t.db"
    access = create_instance(database)
    with ServerProcess(database, "--log-level", "error") as server:
        admin_key = server.process.stdout.readline().split()[2]
        config = tmp_path / "schemathesis.toml"
        config.write_text(CONFIG.format(api_key=access.api_key, admin_key=admin_key))
        phases = ["--phases", "examples,coverage,fuzzing" if SOAK else "examples,fuzzing"]
        words = [program, "--config-file", config, "run", f"{server.url}/v1/openapi.json", *phases, "--max-examples", str(EXAMPLES), "--no-color"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
        done = subprocess.run(
            [*words, *([] if SOAK else ["--generation-deterministic"])], check=False, capture_output=True, text=True, cwd=tmp_path, env=environment
        )
        assert done.returncode == 0, done.stdout[-5000:]
        generated = int(re.search(r"(\d+) generated", done.stdout)[1])
        assert generated >= (5000 if SOAK else 50)
        metrics = server.request_text("/metrics")[2]
    assert re.search(r'requests_total\{.*status="2', metrics)
    assert not re.search(r'requests_total\{.*status="5', metrics)
