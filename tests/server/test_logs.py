import json
import os
import subprocess
import sys
import urllib.request

import pytest

from mosaic_telemetry.server.logs import without_secrets

KEY = "7e1e00" + "ab" * 29


@pytest.mark.parametrize("text", [f"key {KEY}!", f"Authorization: Bearer {KEY}", "bearer short-secret", "postgresql://user:pass-word@host/db", KEY.upper()])
def test_secrets_are_blotted_out(text):
    said = without_secrets(text)
    assert "<secret>" in said
    assert not any(secret in said for secret in (KEY, KEY.upper(), "short-secret", "pass-word"))


@pytest.mark.parametrize("form", ["json", "text"])
def test_each_request_is_a_line_with_its_id_and_without_its_key(tmp_path, form):
    words = [
        sys.executable,
        "-m",
        "mosaic_telemetry",
        "serve",
        "--port",
        "0",
        "--database",
        str(tmp_path / "t.db"),
        "--log-level",
        "info",
        "--log-format",
        form,
    ]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ) as process:
        url = process.stdout.readline().split()[4]
        admin_key = process.stdout.readline().split()[2]
        request = urllib.request.Request(f"{url}/v1/admin/instances", headers={"Authorization": f"Bearer {admin_key}", "X-Request-ID": "a-request-id"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200
        process.terminate()
        _, errors = process.communicate(timeout=30)
    (line,) = [line for line in errors.splitlines() if "a-request-id" in line]
    assert admin_key not in errors
    if form == "json":
        entry = json.loads(line)
        assert (entry["level"], entry["method"], entry["path"], entry["status"], entry["request_id"]) == (
            "info",
            "GET",
            "/v1/admin/instances",
            200,
            "a-request-id",
        )
        assert (entry["address"], entry["ms"] >= 0) == ("127.0.0.1", True)
        assert all(json.loads(line) for line in errors.splitlines())
    else:
        assert "INFO mosaic_telemetry.requests: answered method=GET path=/v1/admin/instances status=200" in line


def test_an_exception_is_one_json_object():
    program = (
        "import logging\nfrom mosaic_telemetry.server.logs import configure\nconfigure('info', 'json')\n"
        f"try:\n    raise ValueError('{KEY}')\nexcept ValueError:\n    logging.getLogger('x').exception('it %s', 'failed', extra={{'what': 5}})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    entry = json.loads(done.stderr)
    assert (entry["message"], entry["what"], entry["level"]) == ("it failed", 5, "error")
    assert "Traceback" in entry["exception"]
    assert KEY not in done.stderr
