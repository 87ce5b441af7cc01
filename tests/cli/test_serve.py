import json
import os
import re
import socket
import subprocess
import sys
import urllib.request

import pytest

from mosaic_telemetry.engine import open_engine


def serve(*arguments, **environment):
    command = [sys.executable, "-m", "mosaic_telemetry", "serve", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment})


def refused(*arguments):
    """The one line of a server that does not start."""
    with serve(*arguments) as process:
        out, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert out == ""
    assert errors.startswith("Error: ")
    assert errors.count("\n") == 1
    return errors


def test_one_line_says_where_it_listens_and_it_answers_at_once(tmp_path):
    with serve("--port", 0, MOSAIC_TELEMETRY_DATABASE=str(tmp_path / "t.db")) as process:
        line = process.stdout.readline()
        url, database = re.fullmatch(r"mosaic-telemetry server listening on (http://127\.0\.0\.1:\d+) \(database (.+)\)\n", line).groups()
        assert database == str(tmp_path / "t.db")
        with urllib.request.urlopen(f"{url}/readyz", timeout=10) as answer:
            assert json.load(answer) == {"status": "ready"}
        process.terminate()
        assert re.fullmatch(r"admin key 7e1ead[0-9a-f]{58} \(not shown again; .+\)\n", process.stdout.readline())
        assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == 0
    with serve("--port", 0, "--database", tmp_path / "t.db") as process:
        process.stdout.readline()
        process.terminate()
        assert process.communicate(timeout=30) == ("", "")  # the key is shown once


def test_without_an_option_the_database_lies_in_the_users_data_directory(tmp_path):
    with serve("--port", 0, XDG_DATA_HOME=str(tmp_path / "data"), MOSAIC_TELEMETRY_DATABASE="") as process:
        assert str(tmp_path / "data" / "mosaic-telemetry" / "telemetry.db") in process.stdout.readline()
        process.terminate()
        process.communicate(timeout=30)
    assert (tmp_path / "data" / "mosaic-telemetry" / "telemetry.db").exists()


def test_a_port_in_use(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"cannot listen on 127.0.0.1 port {port}" in refused("--port", port, "--database", tmp_path / "t.db")


def test_a_host_that_is_none(tmp_path):
    assert "cannot listen on no.such.host.invalid" in refused("--host", "no.such.host.invalid", "--port", 0, "--database", tmp_path / "t.db")


@pytest.mark.parametrize("kind", ["directory", "below a file", "no database"])
def test_a_database_that_cannot_be(tmp_path, kind):
    (tmp_path / "file").write_text("x" * 5000)
    path = {"directory": tmp_path, "below a file": tmp_path / "file" / "t.db", "no database": tmp_path / "file"}[kind]
    assert str(tmp_path) in refused("--port", 0, "--database", path)


def test_a_newer_database(tmp_path):
    with open_engine(tmp_path / "t.db") as engine:
        engine._store._writer.submit(lambda connection: connection.pragma("user_version", 99)).result()
    assert "newer" in refused("--port", 0, "--database", tmp_path / "t.db")


def test_json_says_where_it_listens(tmp_path):
    words = [sys.executable, "-m", "mosaic_telemetry", "serve", "--port", "0", "--database", str(tmp_path / "t.db"), "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        answer = json.loads(process.stdout.readline())
        process.terminate()
    assert answer["url"].startswith("http://127.0.0.1:")
    assert answer["database"] == str(tmp_path / "t.db")
