"""The spool never grows beyond its bounds, in events, bytes and age, nor holds more files than a host can spare."""

import gc
import os
import time
import weakref
from pathlib import Path

import pytest
from support.waiting import wait_for

from mosaic_telemetry import EventDroppedError, TaskCompletionEvent, TelemetryClient

BYTES = 10 * 1024 * 1024
DAYS = 86_400


def dropped(errors) -> int:
    return sum(error.count for error in errors if isinstance(error, EventDroppedError))


def files(spool):
    return sorted(spool.glob("*/*.jsonl"))


def test_events_the_oldest_go_and_are_counted(program, server, new_client, spool):
    first = program("track(new_client(max_queue_size=50), 130); os._exit(0)").end()
    assert sum(path.read_bytes().count(b"\n") for path in files(spool)) >= 50
    client = new_client(max_queue_size=50)
    assert client.stop(20)
    assert set(server.events) == set(first.ids[-50:])


def test_events_left_by_several_processes_share_one_bound(program, server, new_client, errors):
    left = [program("track(new_client(max_queue_size=50), 40); os._exit(0)").end() for _ in range(3)]
    client = new_client(max_queue_size=50)
    assert client.stop(20)
    assert set(server.events) == set([one for process in left for one in process.ids][-50:])
    assert client.stats.dropped == dropped(errors) == 70


def test_bytes(new_client, new_event, errors, spool, dead_url):
    """Events of a megabyte each, as only a hand-made one can be: the directory stays at 10 MB."""
    large = {**vars(new_event()), "model": "x" * 1_000_000}
    client = new_client(server_url=dead_url)
    for number in range(30):
        client.track(TaskCompletionEvent(**{**large, "event_id": f"0190b2c4-7d3f-7a51-9c2e-{number:012x}"}))
        assert sum(path.stat().st_size for path in files(spool)) <= BYTES + 1_100_000
    assert client.queue_size == 10
    assert client.stats.dropped == 20
    assert dropped(errors) == 1, "the first of a row is reported"
    assert "10 MB" in str(errors[0])
    assert "1000 events" not in str(errors[0])


def test_age(program, server, new_client, errors, spool):
    old = program("track(new_client(), 3); os._exit(0)").end()
    (segment,) = files(spool)
    young = program("track(new_client(spool_dir=os.environ['YOUNG']), 2); os._exit(0)", options={"env": {"YOUNG": f"{spool}-young"}}).end()
    (other,) = files(spool.with_name(f"{spool.name}-young"))
    other.rename(segment.with_name(other.name))
    os.utime(segment, (time.time() - 7 * DAYS - 60,) * 2)
    os.utime(segment.with_name(other.name), (time.time() - 7 * DAYS + 3600,) * 2)
    client = new_client()
    assert client.stop(20)
    assert set(server.events) == set(young.ids)
    assert not set(server.events) & set(old.ids)
    assert client.stats.dropped == dropped(errors) == 3
    assert "7 days" in str(errors[0])
    wait_for(lambda: not files(spool), what="the removal of the files")


def one_event_a_file(program, spool, count):
    """What many short processes leave: a file each, with one event."""
    first = program(f"track(new_client(), {count}); os._exit(0)").end()
    (segment,) = files(spool)
    for number, line in enumerate(segment.read_bytes().splitlines(keepends=True)):
        segment.with_name(f"{number:013d}-1-00000000.jsonl").write_bytes(line)
    segment.unlink()
    return first.ids, segment.parent


def test_files_of_many_short_processes_do_not_use_up_the_hosts_descriptors(program, server, spool):
    """A hook that runs for every task, and a week without a server: many small files, one process that takes them up."""
    ids, _ = one_event_a_file(program, spool, 150)
    code = """
        import resource
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
        client = new_client(submit_interval=0.1)
        client.start()
        end = time.monotonic() + 20
        while client.stats.accepted < 150 and time.monotonic() < end:
            for _ in range(10):
                open(os.devnull).close()
            time.sleep(0.002)
        say("taken", client.stats.accepted)
        client.stop(10)
    """
    with server._lock:  # nothing is answered until all of it is taken up
        second = program(code)
        time.sleep(1)
    second.end()
    assert second.trouble == ""
    assert second.lines == ["taken 150"]
    assert set(server.events) == set(ids)


@pytest.mark.parametrize("call", ["flush", "stop"])
def test_one_call_delivers_all_that_is_left_however_many_files_it_is(program, server, new_client, spool, call):
    ids, directory = one_event_a_file(program, spool, 100)
    for number in range(50):  # and before them more files that hold nothing than are taken up at once
        directory.joinpath(f"0000000000000-2-{number:08d}.jsonl").write_bytes(b"" if number % 2 else b"torn\n")
    client = new_client()
    assert getattr(client, call)(20)
    assert set(server.events) == set(ids)
    assert client.stats.dropped == 25
    assert not files(spool)


needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts descriptors in /proc")


@needs_proc
def test_clients_that_come_and_go_leave_no_descriptor_behind(program):
    """One client a job, as many programs have it."""
    code = """
        import gc
        def use():
            client = new_client()
            track(client)
            assert client.stop(20)
        use()
        gc.collect()
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(20):
            use()
        gc.collect()
        say("more", len(os.listdir("/proc/self/fd")) - before)
    """
    done = program(code).end()
    (more,) = [int(line.split()[1]) for line in done.lines if line.startswith("more")]
    assert more <= 3, f"{more} descriptors for 20 clients"


@needs_proc
def test_flushing_in_vain_again_and_again_opens_no_file_each_time(program, dead_url, spool):
    code = """
        client = new_client(max_retries=0)
        track(client)
        client.flush(5)
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(30):
            track(client)
            client.flush(5)
        say("more", len(os.listdir("/proc/self/fd")) - before)
        os._exit(0)
    """
    done = program(code, server_url=dead_url).end()
    (more,) = [int(line.split()[1]) for line in done.lines if line.startswith("more")]
    assert more <= 5, f"{more} descriptors for 30 flushes"
    assert len(files(spool)) <= 5


def test_a_client_that_is_flushed_and_forgotten_is_gone(new_event, config):
    """A program that flushes but never stops its clients keeps none of them alive."""
    gone = []
    for _ in range(5):
        client = TelemetryClient(config())
        client.track(new_event())
        assert client.flush(20)
        gone.append(weakref.ref(client))
    del client

    def collected():
        gc.collect()
        return not any(ref() for ref in gone)

    wait_for(collected, 5, "the end of clients that nobody has")


def test_age_in_a_process_that_lives_on(program, dead_url):
    """The bound holds over what waits in a running process too; its clocks are turned forward by eight days."""
    code = """
        client = new_client(server_url=os.environ["DEAD"], max_retries=0)
        track(client, 3)
        client.flush(5)
        passed = 8 * 86_400
        monotonic, now = time.monotonic, time.time
        time.monotonic, time.time = lambda: monotonic() + passed, lambda: now() + passed
        track(client, 1)
        client.flush(5)
        say("wait", client.queue_size, client.stats.dropped)
        os._exit(0)
    """
    done = program(code, options={"env": {"DEAD": dead_url}}).end()
    assert done.lines[-1] == "wait 1 3"
