"""The size and language of the repository that an agent worked in, by what git tracks; nothing of it leaves but two words."""

import json
import os
import subprocess

import pytest
from support.server import COMMAND
from support.transcripts import Transcript

from mosaic_telemetry.collectors.repository import Repositories, Repository, category_of
from mosaic_telemetry.schema import RepoSizeCategory


def repository(folder, files):
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    for name, lines in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x\n" * lines)
        subprocess.run(["git", "-C", str(folder), "add", name], check=True)
    return folder


@pytest.mark.parametrize(
    ("lines", "category"),
    [(0, "tiny"), (999, "tiny"), (1_000, "small"), (9_999, "small"), (10_000, "medium"), (99_999, "medium"), (100_000, "large"), (1_000_000, "huge")],
)
def test_categories_go_by_lines(lines, category):
    assert category_of(lines).value == category


def test_only_tracked_files_of_programming_languages_count(tmp_path):
    folder = repository(tmp_path / "app", {"a.py": 600, "sub/b.py": 500, "c.go": 10, "data.csv": 50_000})
    (folder / "generated.py").write_text("x\n" * 20_000)
    (folder / "link.py").symlink_to("/etc/passwd")
    found = Repositories()
    assert found.around(str(folder)) == Repository(RepoSizeCategory.SMALL, "python")
    assert found.around(str(folder / "sub")) == found.around(str(folder))


@pytest.mark.parametrize("folder", ["", "/nowhere/at/all", "nul\0", "proj-gemini-1"])
def test_where_there_is_no_repository_nothing_is_known(folder, tmp_path, monkeypatch):
    repository(tmp_path / "proj-gemini-1", {"a.py": 1})  # a name alone tells no folder
    monkeypatch.chdir(tmp_path)
    assert Repositories().around(folder) == Repository()


def test_a_repository_starts_no_program_of_its_own(tmp_path):
    folder = repository(tmp_path / "app", {"a.py": 1})
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    hook.chmod(0o755)
    subprocess.run(["git", "-C", str(folder), "config", "core.fsmonitor", str(hook)], check=True)
    assert Repositories().around(str(folder)).language == "python"
    assert not (tmp_path / "started").exists()


def test_the_event_tells_both(tmp_path):
    folder = repository(tmp_path / "secret-name", {"a.rs": 2_000})
    log = Transcript()
    log.prompt(0, "Explain", cwd=str(folder))
    log.answer(1, "m")
    path = log.write(tmp_path / "log" / "a.jsonl")
    words = [*COMMAND, "collect", "claude-code", str(path), "--dry-run", "--json"]
    out = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60, env=dict(os.environ)).stdout
    event = json.loads(out)
    assert (event["repo_size_category"], event["language"]) == ("small", "rust")
    assert "secret-name" not in out
