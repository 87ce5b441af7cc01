"""The pictures of the documents: complete, small, and without anything of the machine that they were taken on."""

import getpass
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import screenshots

ROOT = Path(__file__).parent.parent
COMMANDS = [f"command-{name}.svg" for name in screenshots.COMMANDS]
PAGES = [f"{name}-{theme}.png" for name in (*screenshots.PAGES, "phone") for theme in ("light", "dark")]


@pytest.mark.parametrize("name", [*COMMANDS, *PAGES])
def test_each_is_there_small_and_shown(name):
    assert 0 < (screenshots.IMAGES / name).stat().st_size < 200_000
    pages = [path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md")]
    assert any(f"](images/{name}" in page for page in pages), f"no page shows {name}"


def private():
    """Names of this machine, and paths that no picture should have."""
    return [name for name in (getpass.getuser(), socket.gethostname(), os.environ.get("HOME", "")) if len(name) > 4] + ["/tmp/", "/home/", "/root"]


def words_of(path):
    return re.sub(r"<style.*?</style>|<[^>]+>", " ", path.read_text(encoding="utf-8"), flags=re.DOTALL).replace("&#160;", " ")


def test_the_commands_pictures_are_taken_anew_and_name_nothing_of_this_machine(tmp_path):
    words = [sys.executable, str(ROOT / "scripts" / "screenshots.py"), "--only", "commands", "--into", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(COMMANDS)
    for path in [*tmp_path.iterdir(), *(screenshots.IMAGES / name for name in COMMANDS)]:
        assert [name for name in private() if name in words_of(path)] == [], path.name
        assert "@font-face" not in path.read_text(encoding="utf-8"), "a font of another host"
    table = words_of(tmp_path / "command-collect.svg")
    assert table.count("…") == 3, "the model's name alone gives way at 80 columns"
    assert "$0.0444" in table
