"""Where events wait on disk: for this user alone, for one server alone, and nowhere when they should not."""

import os
import stat
from pathlib import Path

import pytest
from support.waiting import wait_for

from mosaic_telemetry import TelemetryClient, TelemetryConfig
from mosaic_telemetry.client.segment import SpoolDirectory
from mosaic_telemetry.testing import Answer, LocalServer

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")


def segments(spool: Path) -> list[Path]:
    return sorted(spool.glob("*/*.jsonl"))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture
def no_mask():
    """The most careless of umasks."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def directory(new_client, new_event, spool):
    """The directory of `server` in the spool, as the client makes it, with an event that is sent already."""
    client = new_client()
    client.track(new_event())
    assert client.stop(20)
    return Path(SpoolDirectory(str(spool), client.config.server_url, client.config.instance_id).path)


def test_the_default_is_the_users_state_directory(server, new_event, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    client = TelemetryClient(TelemetryConfig(server.url, server.api_key, server.instance_id))
    client.track(new_event())
    (segment,) = segments(tmp_path / "mosaic-telemetry" / "spool")
    assert segment.read_bytes().count(b"\n") == 1
    assert client.stop(20)
    assert list((tmp_path / "mosaic-telemetry" / "spool").iterdir()) == [], "what is used up is gone"


@pytest.mark.parametrize("state", ["state", "./state", ""])
def test_a_state_directory_that_is_not_absolute_is_ignored(program, tmp_path, state):
    """As the XDG base directory specification has it."""
    env = {"HOME": str(tmp_path), "XDG_STATE_HOME": state}
    left = program("track(new_client(), 2); os._exit(0)", spool_dir=None, options={"env": env, "cwd": str(tmp_path)}).end()
    assert (left.code, left.errors) == (0, [])
    assert len(segments(tmp_path / ".local" / "state" / "mosaic-telemetry" / "spool")) == 1
    assert not (tmp_path / "state").exists()


def test_no_empty_directories_pile_up(new_client, new_event, deliver_rest, spool, program, server):
    """One installation after another, or one server after another: what is used up is removed, what waits stays."""
    for number in range(5):
        with LocalServer() as other:
            client = new_client(server_url=other.url, instance_id=f"11111111-1111-4111-8111-{number:012}")
            client.track(new_event())
            client.stop(20)
    assert [path for path in spool.iterdir() if not segments(spool)] == []
    program("track(new_client(), 3); os._exit(0)").end()
    (left,) = spool.iterdir()
    Path(left, "0000000000001-1-00000000.jsonl.sent").write_text("0", encoding="utf-8")  # of one that was killed amid the removal
    assert deliver_rest()
    assert len(server.events) == 3
    assert list(spool.iterdir()) == []


def test_files_that_hold_no_event_leave_no_directory(directory, deliver_rest, spool):
    """What a process left that was killed right after its events were sent, or amid its first."""
    for number, content in enumerate([b"", b"torn", b"\n"]):
        directory.joinpath(f"0000000000001-1-{number:08}.jsonl").write_bytes(content)
    assert deliver_rest()
    assert list(spool.iterdir()) == []


def test_a_process_that_ends_by_itself_leaves_nothing(program, server, spool):
    done = program("client = new_client(); client.start(); track(client, 3)").end()
    assert set(server.events) == set(done.ids)
    assert list(spool.iterdir()) == []


def test_a_directory_that_is_removed_while_others_begin_to_use_it(program, server, spool, deliver_rest, sent):
    """Clients in two processes that come and go: each removes the directory when it is used up, whoever else may want it."""
    code = """
        for _ in range(40):
            client = new_client()
            track(client, 2)
            assert client.stop(20)
    """
    both = [program(code), program(code)]
    for one in both:
        one.end()
        assert (one.code, one.errors) == (0, [])
    assert deliver_rest()
    assert set(server.events) == {one for process in both for one in process.ids}
    assert set(sent().values()) == {1}
    assert list(spool.iterdir()) == []


@pytest.mark.usefixtures("no_mask")
def test_files_and_directories_are_this_users_alone(new_client, server, new_event, spool):
    client = new_client(batch_size=1)
    for _ in range(3):
        client.track(new_event())
    server.rule = lambda _: Answer(status=401) if len(server.events) == 2 else None
    assert not client.flush(20)  # two are delivered, so that there is a checkpoint as well
    files = [path for path in spool.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".jsonl", ".sent", ".json"}
    assert {mode(path) for path in files} == {0o600}
    assert {mode(path) for path in (spool, *spool.iterdir())} == {0o700}


def test_a_directory_that_others_can_read_is_closed_to_them(directory, new_client, new_event):
    directory.chmod(0o755)
    client = new_client()
    client.track(new_event())
    assert mode(directory) == 0o700


def test_a_linked_directory_is_refused(directory, new_client, new_event, errors, tmp_path, spool):
    elsewhere = tmp_path / "elsewhere"
    directory.rename(elsewhere)
    directory.symlink_to(elsewhere)
    before = sorted(elsewhere.iterdir())
    client = new_client()
    for _ in range(3):
        client.track(new_event())
    assert sorted(elsewhere.iterdir()) == before
    assert [str(error) for error in errors] == [f"cannot spool to {spool}: {directory} is no directory; events are kept in memory meanwhile"]
    assert client.flush(20)


def test_a_linked_root_is_refused(new_client, new_event, errors, tmp_path, spool):
    (tmp_path / "elsewhere").mkdir()
    spool.symlink_to(tmp_path / "elsewhere")
    client = new_client()
    client.track(new_event())
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert [str(error) for error in errors] == [f"cannot spool to {spool}: {spool} is no directory; events are kept in memory meanwhile"]


@needs_root
@pytest.mark.parametrize("which", ["root", "directory"])
def test_a_directory_of_another_user_is_refused(directory, new_client, server, new_event, errors, spool, which):
    os.chown(spool if which == "root" else directory, 65534, -1)
    client = new_client()
    client.track(new_event())
    assert segments(spool) == []
    assert len(errors) == 1
    assert "belongs to another user" in str(errors[0])
    assert client.flush(20)
    assert len(server.events) == 2


@pytest.mark.parametrize("kind", ["symbolic link", "hard link", "directory", "pipe"])
def test_a_file_that_only_looks_like_ours_is_left_alone(directory, server, deliver_rest, tmp_path, kind):
    outside = tmp_path / "outside.jsonl"
    outside.write_text('{"event_id": "of somebody else"}\n', encoding="utf-8")
    name = directory / "0000000000001-1-00000000.jsonl"
    match kind:
        case "symbolic link":
            name.symlink_to(outside)
        case "hard link":
            name.hardlink_to(outside)
        case "directory":
            name.mkdir()
        case _:
            os.mkfifo(name)
    assert deliver_rest()
    assert len(server.events) == 1
    assert outside.read_text(encoding="utf-8") == '{"event_id": "of somebody else"}\n'
    assert name.is_symlink() or name.exists()


def test_a_checkpoint_that_is_a_link_is_not_followed(directory, server, program, deliver_rest, tmp_path):
    program("track(new_client(), 3); os._exit(0)").end()
    (segment,) = directory.glob("*.jsonl")
    precious = tmp_path / "precious"
    precious.write_text("7", encoding="utf-8")
    Path(f"{segment}.sent").symlink_to(precious)
    assert deliver_rest(batch_size=1)
    assert len(server.events) == 4
    assert precious.read_text(encoding="utf-8") == "7"


def test_events_for_one_server_are_never_sent_to_another(server, deliver_rest, program, spool):
    leave = "track(new_client(), 2); os._exit(0)"
    with LocalServer() as other:
        mine, theirs, strangers = program(leave), program(leave, server_url=other.url), program(leave, instance_id="11111111-1111-4111-8111-111111111111")
        for one in (mine, theirs, strangers):
            one.end()
        assert deliver_rest()
        assert (set(server.events), set(other.events)) == (set(mine.ids), set())
        assert deliver_rest(server_url=other.url)
        assert (set(server.events), set(other.events)) == (set(mine.ids), set(theirs.ids))
    (left,) = segments(spool)
    assert all(one in left.read_text(encoding="utf-8") for one in strangers.ids)


@pytest.mark.parametrize("change", [{"spool_dir": None}, {"dry_run": True}, {"enabled": False}], ids=["memory", "dry run", "disabled"])
def test_nothing_is_written_or_taken_up_that_need_not_be(new_client, server, new_event, spool, program, deliver_rest, change):
    program("track(new_client(), 3); os._exit(0)").end()
    (left,) = segments(spool)
    before = {path: path.read_bytes() for path in spool.rglob("*") if path.is_file()}
    client = new_client(**change)
    with client:
        client.track(new_event())
        client.flush(20)
    assert {path: path.read_bytes() for path in spool.rglob("*") if path.is_file()} == before
    assert deliver_rest()
    wait_for(lambda: not left.exists(), what="the removal of the file")
    assert len(server.events) == (4 if change == {"spool_dir": None} else 3)
