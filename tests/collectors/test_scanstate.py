"""The state of earlier scans: it is kept, it is private, and whatever happens to it costs no more than a full scan."""

import os
import random
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mosaic_telemetry.collectors.scanstate import FileMark, ScanState, fingerprint, link_of, state_file

A, B = Path("/logs/a.jsonl"), Path("/logs/b.jsonl")
MARK = FileMark(fingerprint="1.2.3.4", offset=17, due_ms=5, left_out="x")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "scans" / "one.db"


def filled(path):
    with ScanState(path) as state:
        state.note("codex", {A: MARK, B: FileMark(fingerprint="")}, {A: [1, 2, -3], B: [3]}, ["e1", "e2"])
        assert state.problem == ""


def test_what_was_noted_is_known_to_the_next_process(path):
    filled(path)
    with ScanState(path) as state:
        assert state.marks("codex") == {str(A): MARK, str(B): FileMark(fingerprint="")}
        assert (state.mark("codex", A), state.mark("pi", A), state.marks("pi")) == (MARK, None, {})
        assert state.reported(["e2", "e3", "e1"]) == {"e1", "e2"}
        assert state.linked("codex", [2, 9]) == {str(A)}
        assert state.linked("codex", [-3, 3]) == {str(A), str(B)}
        assert state.linked("pi", [2]) == set()


def test_noting_again_replaces_marks_and_links_and_keeps_what_was_reported(path):
    filled(path)
    with ScanState(path) as state:
        state.note("codex", {A: FileMark(fingerprint="new")}, {A: [7]}, ["e3"])
        assert state.mark("codex", A) == FileMark(fingerprint="new")
        assert (state.linked("codex", [1, 2]), state.linked("codex", [7])) == (set(), {str(A)})
        assert state.reported(["e1", "e3"]) == {"e1", "e3"}
        state.note("codex", {A: MARK})
        assert state.linked("codex", [7]) == {str(A)}
        state.drop("codex", [str(A), "/never"])
        assert (state.mark("codex", A), state.linked("codex", [7])) == (None, set())
        assert state.reported(["e1"]) == {"e1"}


def test_it_is_for_its_user_alone(path):
    filled(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with ScanState(path) as state:
        state.note("codex", {A: MARK})
        assert {stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()} == {0o600}


@pytest.mark.parametrize("content", [b"", b"x", b"{}", b"SQLite format 3\0" + b"\xff" * 5000], ids=["empty", "short", "json", "header"])
def test_a_foreign_file_is_replaced(path, content):
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with ScanState(path) as state:
        assert state.marks("codex") == {}
    filled(path)
    with ScanState(path) as state:
        assert state.mark("codex", A) == MARK


def test_a_database_of_another_program_is_replaced(path):
    path.parent.mkdir(parents=True)
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE file (x)")
    other.close()
    filled(path)
    with ScanState(path) as state:
        assert state.mark("codex", A) == MARK


def test_a_torn_file_never_raises_and_can_be_used_again(path):
    filled(path)
    with ScanState(path) as state:
        state.note("codex", {Path(f"/logs/{n}"): MARK for n in range(300)}, {Path(f"/logs/{n}"): range(n, n + 50) for n in range(300)}, map(str, range(3000)))
    whole = path.read_bytes()
    rng = random.Random(1)
    for _ in range(40):
        torn = bytearray(whole[: rng.choice([len(whole), rng.randrange(len(whole))])])
        for _ in range(rng.choice([0, 3, 300])):
            if torn:
                torn[rng.randrange(len(torn))] ^= 1 << rng.randrange(8)
        path.write_bytes(torn)
        with ScanState(path) as state:
            state.marks("codex")
            state.linked("codex", range(100))
            state.reported(map(str, range(100)))
            state.note("codex", {B: MARK}, {B: [1]}, ["new"])
            state.drop("codex", ["/logs/1"])
            state.note("codex", {B: MARK}, {B: [1]}, ["new"])
            assert state.reported(["new"]) <= {"new"}


def test_another_version_reads_everything_again_but_reports_nothing_twice(path):
    filled(path)
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE setting SET value = '0.0.0'")
    raw.close()
    with ScanState(path) as state:
        assert (state.marks("codex"), state.linked("codex", [1]), state.reported(["e1"])) == ({}, set(), {"e1"})


def test_where_it_cannot_be_written_nothing_is_remembered_and_the_reason_is_told(tmp_path):
    (tmp_path / "state").write_text("a file where a directory should be")
    with ScanState(tmp_path / "state" / "scans" / "one.db") as state:
        assert "one.db" in state.problem
        state.note("codex", {A: MARK}, {A: [1]}, ["e1"])
        assert state.reported(["e1"]) == {"e1"}  # within this process


def test_processes_that_open_it_at_once_all_note_what_they_did(path):
    code = (
        "import sys; from pathlib import Path; from mosaic_telemetry.collectors.scanstate import FileMark, ScanState\n"
        "me = sys.argv[2]\n"
        "with ScanState(Path(sys.argv[1])) as state:\n"
        "    for n in range(20): state.note('codex', {Path(f'/{me}/{n}'): FileMark(fingerprint=me)}, event_ids=[f'{me} {n}'])\n"
        "    sys.exit(state.problem or 0)\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(path), f"p{n}"]) for n in range(4)]
    assert [process.wait(60) for process in running] == [0] * 4
    with ScanState(path) as state:
        assert len(state.marks("codex")) == len(state.reported([f"p{m} {n}" for m in range(4) for n in range(20)])) == 80


def test_a_fingerprint_tells_any_change_without_reading(tmp_path):
    file, beside = tmp_path / "a", tmp_path / "b"
    file.write_text("one")
    seen = [fingerprint([file, beside])]
    os.utime(file, ns=(1, 1))
    seen.append(fingerprint([file, beside]))
    assert fingerprint([file, beside]) == seen[-1]
    file.write_text("longer")
    os.utime(file, ns=(1, 1))
    seen.append(fingerprint([file, beside]))
    beside.write_text("")
    seen.append(fingerprint([file, beside]))
    other = tmp_path / "c"
    other.write_text("longer")
    os.utime(other, ns=(1, 1))
    other.rename(file)
    seen.append(fingerprint([file, beside]))
    assert len(set(seen)) == len(seen)


def test_each_target_has_a_file_of_its_own_in_the_state_directory(tmp_path):
    one = state_file({"XDG_STATE_HOME": str(tmp_path)}, Path("/home/x"), "http://user:secret@server i")
    assert one.is_relative_to(tmp_path / "mosaic-telemetry")
    assert "secret" not in str(one)
    assert one != state_file({"XDG_STATE_HOME": str(tmp_path)}, Path("/home/x"), "http://server j")
    assert link_of("msg_1") != link_of("msg_2")
    assert link_of("\ud800") == link_of("\ud800")
