"""The audit with the real pip-audit, against a small OSV of this machine."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
V3_HIGH = {"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"}  # 7.5
V3_LOW = {"type": "CVSS_V3", "score": "CVSS:3.1/AV:L/AC:H/PR:L/UI:R/S:U/C:L/I:N/A:N"}  # 2.2
V4_CRITICAL = {"type": "CVSS_V4", "score": "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"}  # 9.3


@pytest.fixture
def osv():
    """Advisories by id; every one is about click."""
    advisories: dict[str, dict] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = advisories.get(self.path.rpartition("/")[2])
            self.answer(200 if found else 404, found or {})

        def do_POST(self) -> None:
            query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            about = [item for item in advisories.values() if item.get("affected")] if query["package"]["name"] == "click" else []
            self.answer(200, {"vulns": about} if about else {})

        def answer(self, status, value) -> None:
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", advisories
    server.shutdown()
    server.server_close()


def told(name, *, aliases=(), severity=(), word=None):
    """An advisory about every version of click."""
    affected = [{"package": {"ecosystem": "PyPI", "name": "click"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]}]
    return {
        "id": name,
        "aliases": list(aliases),
        "summary": "s",
        "details": "d",
        "published": "2026-01-01T00:00:00Z",
        "modified": "2026-01-01T00:00:00Z",
        "affected": affected,
        "severity": list(severity),
        "database_specific": {"severity": word} if word else {},
    }


def audit(url, tmp_path):
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("click==8.1.8\n", encoding="utf-8")
    words = [sys.executable, str(ROOT / "scripts/audit.py"), "--osv", url, "--", "--no-deps", "--disable-pip", "-r", str(requirements)]
    environment = {**os.environ, "NO_PROXY": "127.0.0.1"}
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.parametrize(
    ("about", "level", "code"),
    [
        ({"word": "LOW"}, "low", 0),
        ({"word": "MODERATE"}, "moderate", 0),
        ({"word": "HIGH"}, "high", 1),
        ({"severity": [V3_LOW]}, "low", 0),
        ({"severity": [V3_HIGH]}, "high", 1),
        ({"severity": [V3_LOW, V4_CRITICAL]}, "critical", 1),
        ({}, "high", 1),
    ],
    ids=["low", "moderate", "high", "low score", "high score", "the worst of two", "unknown counts as high"],
)
def test_high_and_above_fails(osv, tmp_path, about, level, code):
    url, advisories = osv
    advisories["PYSEC-1"] = told("PYSEC-1", **about)
    done = audit(url, tmp_path)
    assert (done.returncode, done.stdout.splitlines()) == (
        code,
        [f"{level:<9} click 8.1.8: PYSEC-1; mended in no version yet", f"1 packages, 1 known vulnerabilities, {code} of high or critical severity"],
    ), done.stderr


def test_an_alias_tells_what_the_advisory_does_not(osv, tmp_path):
    url, advisories = osv
    advisories["PYSEC-1"] = told("PYSEC-1", aliases=["GHSA-1"])
    advisories["GHSA-1"] = {"id": "GHSA-1", "database_specific": {"severity": "LOW"}}
    assert audit(url, tmp_path).returncode == 0


def test_nothing_known_is_fine(osv, tmp_path):
    done = audit(osv[0], tmp_path)
    assert (done.returncode, done.stdout) == (0, "1 packages, 0 known vulnerabilities, 0 of high or critical severity\n"), done.stderr


def test_no_answer_is_no_all_clear(tmp_path):
    done = audit("http://127.0.0.1:9", tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("audit: no answer: ")
    assert len(done.stderr.splitlines()) == 1
