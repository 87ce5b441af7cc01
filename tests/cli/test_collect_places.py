"""`collect opencode`, `kilo` and `cline` as a person runs them, without a PATH and with one."""

import json
import os
import shutil
import subprocess

import pytest
from support.opencode import DEMO
from support.server import COMMAND

PLACES = [
    ("opencode", "opencode-1.18.33/opencode.db", ".local/share/opencode/opencode.db", {}),
    ("opencode", "opencode-1.0.185-json/storage", "data/opencode/storage", {"XDG_DATA_HOME": "data"}),
    ("kilo", "kilo-cli-7.8.1/kilo.db", "elsewhere/kilo.db", {"KILO_DATA_DIR": "elsewhere"}),
    ("kilo", "cline-2.18.0-classic/tasks", ".config/Code/User/globalStorage/kilocode.kilo-code/tasks", {}),
    ("cline", "cline-2.18.0-classic/tasks", ".vscode-server/data/User/globalStorage/saoudrizwan.claude-dev/tasks", {}),
    ("cline", "cline-cli-3.0.65/sessions", ".cline/data/sessions", {}),
    ("cline", "cline-cli-3.0.65/sessions", "my/data/sessions", {"CLINE_DIR": "my"}),
]
SETTINGS = ("MOSAIC_TELEMETRY_", "TELEMETRY_", "XDG_", "CLINE_", "OPENCODE_", "KILO_")


def run(home, *words, **env):
    own = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    own |= {"HOME": str(home)} | {name: str(home / value) for name, value in env.items()}
    done = subprocess.run([*COMMAND, "collect", *map(str, words)], capture_output=True, text=True, timeout=60, env=own, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(("name", "source", "target", "env"), PLACES, ids=[f"{place[0]} {place[2]}" for place in PLACES])
def test_the_usual_places_are_searched(tmp_path, name, source, target, env):
    path = tmp_path / target
    path.parent.mkdir(parents=True)
    (shutil.copytree if (DEMO / source).is_dir() else shutil.copy)(DEMO / source, path)
    status, out, err = run(tmp_path, name, "--dry-run", "--json", **env)
    assert (status, err) == (0, "")
    assert len({json.loads(line)["event_id"] for line in out.splitlines()}) == 3


@pytest.mark.parametrize(("name", "looked"), [("opencode", ".local/share/opencode"), ("kilo", ".local/share/kilo"), ("cline", ".cline/data")])
def test_an_empty_home_says_where_it_looked(tmp_path, name, looked):
    status, out, err = run(tmp_path, name, "--dry-run")
    assert (status, out) == (1, "")
    assert f"looked in {tmp_path}/{looked} (does not exist)" in err
    assert len(err.splitlines()) == 1


def test_a_damaged_database_is_named_and_does_not_stop_the_rest(tmp_path):
    shutil.copytree(DEMO / "opencode-1.0.185-json" / "storage", tmp_path / "storage")
    (tmp_path / "opencode.db").write_bytes(b"SQLite format 3\0 and nothing more")
    status, out, err = run(tmp_path, "opencode", tmp_path, "--dry-run", "--json", "--verbose")
    assert status == 0
    assert len(out.splitlines()) == 3
    assert err.startswith(f"skipped {tmp_path / 'opencode.db'}: cannot be read as a database: ")
