"""Keys, however and wherever they are given, stand in no log, no table and no number that leaves the server: its whole output is looked through."""

import base64
import json
import os
import subprocess
import sys
import urllib.parse
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from support.waiting import wait_for

from mosaic_telemetry.server.app import ROUTES
from mosaic_telemetry.server.examples import EXAMPLES

COMMAND = [sys.executable, "-m", "mosaic_telemetry"]
ADMIN_KEY = "a word of the operator's own, no hexadecimal"


def run(*words):
    """What a command prints."""
    return subprocess.run([*COMMAND, *map(str, words)], check=True, capture_output=True, text=True, timeout=60).stdout


class Asker:
    """Sends requests and takes no notice of what becomes of them, but for the statuses."""

    def __init__(self, url):
        self.address = urlsplit(url).netloc
        self.statuses = set()

    def __call__(self, method, path, body=None, **headers):
        connection = HTTPConnection(self.address, timeout=30)
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        self.statuses.add(answer.status)
        return text.decode()


def everywhere(ask, key, instance_id):
    """A key in each place where somebody may put it, by right or by mistake."""
    bearer = f"Bearer {key}"
    quoted = urllib.parse.quote(key)
    event = {**EXAMPLES["TaskCompletionEvent"], "instance_id": instance_id}
    for route in ROUTES:
        path = route.path.replace("{instance_id}", instance_id).replace("{number}", "1").replace("{name}", "dashboard.js").replace("{file}", "x")
        for method in sorted(route.methods - {"DELETE", "HEAD"}):
            if "sign" in path or "create" in path or "rotate" in path or "keys" in path:
                continue  # these make keys and answer with them
            ask(method, f"{path}?api_key={quoted}&key={quoted}", json.dumps({"key": key}) if method == "POST" else None, Authorization=bearer)
    ask("POST", "/v1/events/batch", json.dumps({"events": [event]}), Authorization=bearer)
    ask("POST", "/v1/events/batch", json.dumps({"events": [{**event, "model": key, "instance_id": key}]}), Authorization=bearer)
    ask("POST", "/v1/events/batch", json.dumps({"events": [{**event, key: key}]})[:-9], Authorization=bearer)
    ask("POST", "/v1/predictions/batch", json.dumps({"queries": [{"task_type": key}]}), Authorization=bearer)
    ask("POST", "/v1/predictions/batch", "x", Content_Encoding=key)
    for name in ("X_API_Key", "Cookie", "User_Agent", "X_Request_ID", "Referer", "Origin", "If_None_Match", "traceparent", "Host"):
        ask("GET", "/v1/predictions", **{name: key if name != "Cookie" else f"mosaic_admin={quoted}"})
    for header in (key, f"Basic {base64.b64encode(f'x:{key}'.encode()).decode()}", f"Token {key}", bearer + "0", bearer[:-1], f"bearer  {key} "):
        ask("GET", "/v1/admin/instances", Authorization=header)
    for path in (f"/{quoted}", f"/v1/instances/{quoted}/events", f"/v1/admin/instances/{quoted}", f"/key_{quoted}", f"/static/{quoted}"):
        ask("GET", path)
        ask("DELETE", path, Authorization=bearer)
    ask(quoted[:40].replace("%", "").upper(), "/healthz")
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    ask("POST", "/instances/sign-in", urllib.parse.urlencode({"key": key, "admin_key": key}), **form)


@pytest.mark.parametrize(("form", "workers"), [("text", 1), ("json", 2)])
def test_no_key_is_in_the_output_the_audit_log_the_metrics_the_tables_or_an_export(tmp_path, form, workers):
    database, log = tmp_path / "telemetry.db", tmp_path / "log"
    made = json.loads(run("admin", "create-instance", "--database", database, "--json"))
    environment = {**os.environ, "MOSAIC_TELEMETRY_ADMIN_KEY": ADMIN_KEY, "PYTHONASYNCIODEBUG": "1"}
    words = ["serve", "--port", "0", "--database", database, "--log-level", "debug", "--log-format", form, "--workers", workers, "--key-rate", "1000"]
    with log.open("wb") as errors, subprocess.Popen([*COMMAND, *map(str, words)], stdout=subprocess.PIPE, stderr=errors, text=True, env=environment) as process:
        url = process.stdout.readline().split("listening on ")[1].split()[0]
        ask = Asker(url)
        issued = json.loads(ask("POST", f"/v1/admin/instances/{made['instance_id']}/keys", '{"name": "second"}', Authorization=f"Bearer {ADMIN_KEY}"))
        keys = [made["api_key"], issued["api_key"], ADMIN_KEY]
        for key in keys:
            everywhere(ask, key, made["instance_id"])
        metrics = ask("GET", "/metrics")
        database.rename(tmp_path / "away")  # the path on which errors are logged
        everywhere(ask, keys[0], made["instance_id"])
        assert 503 in ask.statuses
        (tmp_path / "away").rename(database)
        wait_for(lambda: "ready" in ask("GET", "/readyz"), 30, "the server's recovery")
        audit = ask("GET", "/v1/admin/audit", Authorization=f"Bearer {ADMIN_KEY}")
        process.terminate()
        output = process.stdout.read()
    assert {200, 202, 400, 401, 404, 405, 415, 422, 503} <= ask.statuses
    assert not {status for status in ask.statuses if status >= 500} - {503}
    said = log.read_text()
    assert said.count("answered") > 100
    assert len(json.loads(audit)) >= 1
    shown = {
        "log": said,
        "output": output,
        "metrics": metrics,
        "audit": audit,
        "audit of the command": run("admin", "audit", "--database", database, "--json"),
        "export": run("export", "--database", database),
        "list": run("admin", "keys", made["instance_id"], "--database", database, "--json"),
        "files": b"".join(path.read_bytes() for path in tmp_path.glob("telemetry.db*")).decode("latin-1"),
    }
    found = {name: secret for name, text in shown.items() for key in keys for secret in forms(key) if secret in text.lower()}
    # An event may name any text as its model; that of our test does, and is refused for naming another instance.
    assert found == {}


def forms(key):
    """A key as it may be written: as it is, quoted for an address, in base64, or a large part of it."""
    basic = base64.b64encode(f"x:{key}".encode()).decode()
    return {text.lower() for text in (key, urllib.parse.quote(key), urllib.parse.quote_plus(key), basic[4:], key[:40], key[10:50])}
