"""Forks: parent and child each deliver their own events once, over connections of their own, and nobody hangs."""

import os
import time

import pytest
from support.waiting import wait_for

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
FORKS = 40 if os.environ.get("MOSAIC_TELEMETRY_SOAK") else 12

# `fork` is os.fork, or the C library's, of which Python's hooks know nothing, as uWSGI's.
CODE = """
    import ctypes
    def bare_fork():
        return ctypes.PyDLL(None).fork()
    fork = {fork}
    def in_child(work):
        if fork is bare_fork:
            time.sleep(0.05)  # our thread comes to rest: without the hooks CPython's own lock would not survive one that runs
        pid = fork()
        if pid == 0:
            signal.alarm(60)  # whatever hangs, ends
            code = 77
            try:
                work()
                code = 0
            finally:
                os._exit(code)
        return pid
    def reap(pid):
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if os.waitpid(pid, os.WNOHANG)[0]:
                return
            time.sleep(0.005)
        say("child hangs", pid)
        os.kill(pid, signal.SIGABRT)
"""
BOTH = pytest.mark.parametrize("fork", ["os.fork", "bare_fork"])


@BOTH
@pytest.mark.parametrize("before", ["never used", "tracked", "started", "sent", "stopped"])
def test_at_every_moment_of_a_clients_life(program, finish, fork, before):
    steps = {
        "never used": "",
        "tracked": "track(client, 3)",
        "started": "client.start(); track(client, 3)",
        "sent": "client.start(); track(client, 3); client.flush(20); track(client, 2)",
        "stopped": "track(client, 3); client.stop(20)",
    }[before]
    code = (
        CODE.format(fork=fork)
        + f"""
    client = new_client()
    {steps}
    def work():
        track(client, 4)
        if not client.stop(20): say("child hangs")
    pids = [in_child(work) for _ in range(2)]
    track(client, 5)
    for pid in pids: reap(pid)
    if not client.stop(20): say("parent hangs")
    """
    )
    done = program(code).end()
    assert len(done.ids) == {"never used": 0, "sent": 5}.get(before, 3) + 13
    finish(done)


@BOTH
def test_a_child_that_reports_nothing_sends_nothing_and_ends_at_once(program, server, sent, deliver_rest, fork):
    """What waits is the parent's, also when the child flushes, stops, or ends like any interpreter."""
    code = (
        CODE.format(fork=fork)
        + """
    client = new_client()
    track(client, 5)
    for work in (lambda: client.flush(10), lambda: client.stop(10), client.start, lambda: None):
        for hard in (True, False):
            begun = time.monotonic()
            pid = fork()
            if pid == 0:
                work()
                if hard: os._exit(0)
                sys.exit(0)  # runs the exit hooks
            reap(pid)
            if time.monotonic() - begun > 5: say("child hangs")
    say("requests", len(os.listdir("/proc/self/fd")) and client.queue_size)
    track(client, 2)
    say("kill")
    os.kill(os.getpid(), signal.SIGKILL)
    """
    )
    done = program(code).end()
    assert "requests 5" in done.lines
    assert not [line for line in done.lines if "hangs" in line]
    assert server.requests == []
    assert deliver_rest()
    assert set(server.events) == set(done.ids), "what the parent had written is still there"
    assert set(sent().values()) == {1}


@BOTH
def test_while_a_request_is_in_flight(program, server, finish, tmp_path, fork):
    """The sender waits for an answer when the process forks."""
    arrived = tmp_path / "arrived"

    def rule(_request):
        arrived.touch()
        time.sleep(0.1)  # and then the proper answer

    server.rule = rule
    code = (
        CODE.format(fork=fork)
        + """
    client = new_client(batch_size=3)
    client.start()
    def work():
        track(client, 3)
        if not client.stop(20): say("child hangs")
    for _ in range(5):
        wait(lambda: client.queue_size == 0 and client.stats.accepted == client.stats.sent)
        if os.path.exists(os.environ["ARRIVED"]): os.unlink(os.environ["ARRIVED"])
        track(client, 3)
        wait(lambda: os.path.exists(os.environ["ARRIVED"]))
        reap(in_child(work))
    if not client.stop(20): say("parent hangs")
    """
    )
    done = program(code, options={"env": {"ARRIVED": str(arrived)}}).end()
    assert len(done.ids) == 30
    finish(done)


def test_while_threads_report_and_send(program, finish):
    code = (
        CODE.format(fork="os.fork")
        + f"""
    client = new_client(batch_size=3, submit_interval=0.02, max_queue_size=100_000)
    client.start()
    going = True
    def report():
        while going:
            track(client)
            time.sleep(0.001)
    reporter = threading.Thread(target=report)
    reporter.start()
    def work():
        track(client, 3)
        if not client.stop(20): say("child hangs")
    pids = []
    for _ in range({FORKS}):
        pids.append(in_child(work))
        time.sleep(0.005)
        if len(pids) > 3: reap(pids.pop(0))
    for pid in pids: reap(pid)
    going = False
    reporter.join()
    if not client.stop(20): say("parent hangs")
    """
    )
    finish(program(code, options={"env": {"PYTHONWARNINGS": "ignore"}}).end(120))


@BOTH
def test_a_child_that_is_killed_leaves_its_events_to_the_parent(program, finish, fork):
    code = (
        CODE.format(fork=fork)
        + """
    client = new_client(submit_interval=1.0)  # longer than the rest before a bare fork: the thread sleeps then
    client.start()
    track(client, 2)
    def work():
        track(client, 4)
        os.kill(os.getpid(), signal.SIGKILL)
    reap(in_child(work))
    wait(lambda: client.stats.accepted == 6)
    client.stop(20)
    """
    )
    finish(program(code).end())


@BOTH
def test_a_child_outlives_its_parent(program, server, sent, deliver_rest, fork):
    """The parent is killed while its child lives: what the parent left can be taken up, though the child inherited its files."""
    code = (
        CODE.format(fork=fork)
        + """
    client = new_client()
    track(client, 5)
    parent = os.getpid()
    if fork() == 0:
        track(client, 2)
        wait(lambda: os.getppid() != parent)
        say("orphan", client.flush(10))
        os._exit(0)
    os.kill(parent, signal.SIGKILL)
    """
    )
    done = program(code)
    done.end()
    wait_for(lambda: "orphan True" in done.lines, 30, "the child's flush")
    assert deliver_rest()
    assert set(server.events) == set(done.ids)
    assert set(sent().values()) == {1}


def test_a_grandchild(program, finish):
    code = (
        CODE.format(fork="os.fork")
        + """
    client = new_client()
    client.start()
    def grandchild():
        track(client, 3)
        if not client.stop(20): say("hangs")
    def child():
        track(client, 2)
        reap(in_child(grandchild))
        if not client.stop(20): say("hangs")
    track(client, 1)
    reap(in_child(child))
    if not client.stop(20): say("hangs")
    """
    )
    finish(program(code).end())


@pytest.mark.parametrize("fork", ["os.fork()", "libc_fork()"], ids=["hooks", "no hooks"])
def test_a_child_counts_from_nothing(program, server, fork):
    """What the parent reported is in the parent's figures alone."""
    code = f"""
        import ctypes
        libc_fork = ctypes.PyDLL(None).fork
        client = new_client()
        track(client, 4)
        assert client.stop(20)
        client.track("nonsense")
        # `stop` has joined our thread, which may still be ending: without the hooks CPython's own lock would not survive that.
        end = time.monotonic() + 20
        while os.path.isdir("/proc/self/task") and len(os.listdir("/proc/self/task")) > 1 and time.monotonic() < end:
            time.sleep(0.001)
        child = {fork}
        if child == 0:
            stats = client.stats
            say("child", stats.sent, stats.accepted, stats.last_error, client.queue_size)
            track(client, 2)
            assert client.stop(20)
            say("child", client.stats.sent, client.stats.accepted)
            os._exit(0)
        os.waitpid(child, 0)
        say("parent", client.stats.sent, client.stats.accepted)
    """
    done = program(code).end()
    assert [line for line in done.lines if not line.startswith("id ")] == ["child 0 0 None 0", "child 2 2", "parent 4 4"]
    assert set(server.events) == set(done.ids)
