"""When there is no disk to be had: events wait in memory, one warning says so, and the disk is used again when it is back."""

import os
import shutil
import subprocess
from contextlib import contextmanager

import pytest
from support.waiting import wait_for

from mosaic_telemetry.testing import Answer


@contextmanager
def small_disk(path, size="64k"):
    """A file system of its own, where this user may mount one."""
    path.mkdir(exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(path)], check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"this user may not mount a small disk: {done.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def spooled(spool) -> int:
    return sum(path.read_bytes().count(b"\n") for path in spool.glob("*/*.jsonl"))


# The clock can be turned forward in a program of its own, since nobody wants to wait for the next try to write.
CLOCK = "passed, monotonic = 0.0, time.monotonic; time.monotonic = lambda: monotonic() + passed"


def test_a_file_where_the_directory_should_be(new_client, server, new_event, errors, spool):
    spool.write_text("not a directory", encoding="utf-8")
    client = new_client()
    for _ in range(20):
        client.track(new_event())
    assert [str(error).split(":")[0] for error in errors] == [f"cannot spool to {spool}"]
    assert str(errors[0]).endswith("; events are kept in memory meanwhile")
    assert client.flush(20)
    assert len(server.events) == 20


def test_a_disk_that_cannot_be_written(program, server, tmp_path):
    """Read-only, as a container's root file system often is."""
    with small_disk(tmp_path / "disk") as disk:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        done = program("client = new_client(); track(client, 20); say(client.stats.last_error); assert client.stop(20)", spool_dir=str(disk / "spool")).end()
    assert done.code == 0
    assert done.lines[-1] == f"cannot spool to {disk / 'spool'}: Read-only file system; events are kept in memory meanwhile"
    assert len(done.errors) == 1
    assert set(server.events) == set(done.ids)


def test_no_permission(program, server, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    if os.access(tmp_path / "closed", os.W_OK):
        pytest.skip("this user may write everywhere")
    done = program("client = new_client(); track(client, 20); assert client.stop(20)", spool_dir=str(tmp_path / "closed" / "spool")).end()
    assert (done.code, len(done.errors)) == (0, 1)
    assert set(server.events) == set(done.ids)


def test_no_home(program, server):
    """A user without a home directory, as many containers run."""
    environment = {"HOME": "/nonexistent/home", "XDG_STATE_HOME": ""}
    if os.access("/", os.W_OK):
        environment["HOME"] = "/dev/null"  # root could make the directory
    done = program("client = new_client(); track(client, 20); assert client.stop(20)", spool_dir=None, options={"env": environment}).end()
    assert done.code == 0
    assert len(done.errors) == 1
    assert "cannot spool to " in done.errors[0]
    assert set(server.events) == set(done.ids)


@pytest.mark.parametrize("how", ["disk", "limit"])
def test_a_full_disk_and_then_room_again(program, server, spool, tmp_path, how, deliver_rest):
    """Writing fails in the middle of a line; nothing that was written suffers, and what waits is written once there is room."""
    code = f"""
        {CLOCK}
        import resource
        if {how == "limit"}:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
        client = new_client()
        track(client, 100)
        for _ in range(2):
            passed += 31.0
            track(client, 1)  # tries the disk again, in vain: some of what waits may fit, not all
        say("full")
        wait(lambda: os.path.exists(os.environ["ROOM"]))
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        passed += 31.0
        track(client, 8)
        say("stats", client.stats.dropped, client.queue_size)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    room = tmp_path / "room"
    disk = small_disk(tmp_path / "disk") if how == "disk" else None
    place = disk.__enter__() / "spool" if disk else spool
    try:
        running = program(code, spool_dir=str(place), options={"env": {"ROOM": str(room)}})
        running.wait_for("full")
        kept = spooled(place)
        assert 0 < kept < 100
        assert all(path.read_bytes().endswith(b"\n") for path in place.glob("*/*.jsonl"))
        if disk:
            subprocess.run(["mount", "-o", "remount,size=4m", str(tmp_path / "disk")], check=True)
        room.touch()
        running.end()
        assert running.lines[-1] == "stats 0 110"
        assert sum("cannot spool" in line for line in running.errors) == 1
        assert deliver_rest(spool_dir=str(place))
        assert set(server.events) == set(running.ids)
    finally:
        if disk:
            disk.__exit__(None, None, None)


def test_a_disk_that_stays_full_is_told_once_and_leaves_no_heap_of_files(program, dead_url, spool):
    code = f"""
        {CLOCK}
        import resource
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (500, resource.RLIM_INFINITY))  # less than one event
        told = []
        client = new_client(on_error=told.append)
        for _ in range(40):
            track(client)
            passed += 31.0
        say("told", len(told))
        say("files", len(os.listdir("/proc/self/fd")))
        os._exit(0)
    """
    done = program(code, server_url=dead_url).end()
    words = dict(line.split() for line in done.lines if not line.startswith("id"))
    assert int(words["told"]) == 1, "one warning, not one a try"
    assert len(list(spool.glob("*/*.jsonl"))) <= 5
    assert int(words["files"]) <= 15


def test_a_directory_deleted_under_a_running_process(program, server, spool, deliver_rest):
    code = """
        client = new_client()
        track(client, 5)
        say("written")
        wait(lambda: not os.path.exists(os.environ["SPOOL"]))
        time.sleep(1.1)  # it looks once a second
        track(client, 5)
        say("again")
        for _ in forever(): time.sleep(0.01)
    """
    running = program(code, options={"env": {"SPOOL": str(spool)}})
    running.wait_for("written")
    shutil.rmtree(spool)
    running.wait_for("again")
    assert spooled(spool) == 10, "what waited in memory is on disk again"
    running.kill()
    assert running.trouble == ""
    assert deliver_rest()
    assert set(server.events) == set(running.ids)


def test_a_directory_deleted_while_events_are_on_their_way(program, server, spool, deliver_rest):
    """What comes back from a failed request is written down as well."""
    code = """
        client = new_client(max_retries=0)
        client.start()
        track(client, 5)
        sender = threading.Thread(target=client.flush)
        sender.start()
        wait(lambda: client.queue_size == 0)
        say("sending")
        wait(lambda: not os.path.exists(os.environ["SPOOL"]))
        time.sleep(1.1)
        track(client, 5)
        sender.join()
        wait(lambda: client.queue_size == 10)
        time.sleep(1.1)
        track(client, 5)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    server.answer(Answer(status=503, delay=3))
    running = program(code, options={"env": {"SPOOL": str(spool)}})
    running.wait_for("sending")
    shutil.rmtree(spool)
    running.end()
    assert len(running.ids) == 15
    assert deliver_rest()
    assert set(server.events) == set(running.ids)


def test_a_file_deleted_under_a_running_process(new_client, server, new_event, spool):
    client = new_client()
    events = [new_event() for _ in range(3)]
    client.track(events[0])
    (segment,) = spool.glob("*/*.jsonl")
    segment.unlink()
    client.track(events[1])
    assert client.flush(20)
    client.track(events[2])
    assert client.stop(20)
    assert set(server.events) == {event.event_id for event in events}
    wait_for(lambda: not list(spool.glob("*/*.jsonl")), what="the removal of the files")
