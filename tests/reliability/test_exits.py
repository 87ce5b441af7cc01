"""However a process ends, what was tracked is delivered or in the spool; on every interpreter that can be found."""

import signal

import pytest

# How it ends; the exit code; whether the exit hook runs, so that the server has the events at once. After an unhandled
# KeyboardInterrupt CPython ends by SIGINT or, where an exit hook still imports something, with 1.
ENDS = {
    "returns": ("", 0, True),
    "sys.exit": ("sys.exit(3)", 3, True),
    "unhandled exception": ("raise ZeroDivisionError", 1, True),
    "sys.exit in a thread": ("thread = threading.Thread(target=sys.exit, args=(5,)); thread.start(); thread.join()", 0, True),
    "unhandled exception in a thread": ("thread = threading.Thread(target=lambda: 1 / 0); thread.start(); thread.join()", 0, True),
    "os._exit": ("os._exit(4)", 4, False),
    "abort": ("os.abort()", -signal.SIGABRT, False),
    "SIGTERM": ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM, False),
    "SIGHUP": ("os.kill(os.getpid(), signal.SIGHUP)", -signal.SIGHUP, False),
    "SIGKILL": ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, False),
    "SIGINT": ("os.kill(os.getpid(), signal.SIGINT); time.sleep(5)", -signal.SIGINT, True),
    "out of memory": ("import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 28,) * 2); x = bytearray(1 << 40)", 1, None),
}


@pytest.mark.parametrize("started", [True, False], ids=["started", "not started"])
@pytest.mark.parametrize("end", ENDS)
def test_an_end(program, server, deliver_rest, sent, python, end, started):
    last_words, code, at_once = ENDS[end]
    start = "client.start(); client.flush(20)" if started else ""
    done = program(f"client = new_client(); {start}\ntrack(client, 25)\n{last_words}", python=python).end()
    assert done.code in ({code, 1} if end == "SIGINT" else {code})
    assert len(done.ids) == 25
    if at_once is not None:
        assert len(server.events) == (25 if at_once else 0)
    if code >= 0 and "exception" not in end and end != "out of memory":
        assert done.errors == []
    assert deliver_rest()
    assert set(server.events) == set(done.ids)
    assert set(sent().values()) == {1}


@pytest.mark.parametrize("memory", [False, True], ids=["spool", "memory"])
def test_exit_hooks_before_and_after_ours(program, server, deliver_rest, python, memory):
    """A hook registered before our first event runs after ours."""
    code = """
        import atexit
        atexit.register(lambda: track(client, 2))
        client = new_client()
        client.start()
        track(client, 3)
        atexit.register(lambda: track(client, 4))
    """
    done = program(code, python=python, spool_dir="none" if memory else None).end() if memory else program(code, python=python).end()
    assert (done.code, done.errors, len(done.ids)) == (0, [], 9)
    assert set(done.ids[:7]) <= set(server.events), "3 from the program, 4 from the hook before ours"
    assert deliver_rest()
    assert memory or set(server.events) == set(done.ids)


def test_a_hook_after_ours_may_flush(program, server, python):
    """In memory only, late events need a flush of their own; a thread can no longer be started then on Python 3.12 and later."""
    code = """
        import atexit
        atexit.register(lambda: (track(client, 2), client.stop(20)))
        client = new_client(spool_dir=None)
        track(client, 3)
    """
    done = program(code, python=python).end()
    assert (done.code, done.errors, len(done.ids)) == (0, [], 5)
    assert set(server.events) == set(done.ids)


@pytest.mark.parametrize("settled", ["client.stop(20)", "client.flush(20)", "client.start(); client.stop(20); client.stop(20)"])
def test_events_after_a_stop_go_at_exit_as_well(program, server, settled):
    code = f"""
        client = new_client(spool_dir=None)
        track(client, 2)
        {settled}
        track(client, 3)
    """
    done = program(code).end()
    assert (done.code, done.errors, len(done.ids)) == (0, [], 5)
    assert set(server.events) == set(done.ids)


def test_a_client_that_nobody_holds_any_more(program, server, python):
    code = """
        import gc
        def use():
            track(new_client(spool_dir=None), 3)
        use()
        gc.collect()
    """
    done = program(code, python=python).end()
    assert (done.code, done.errors) == (0, [])
    assert set(server.events) == set(done.ids)


def test_a_thread_that_reports_while_the_interpreter_goes_down(program, server, deliver_rest, python):
    """A daemon thread tracks until the very end; it ends nobody's exit, and what it reported is kept."""
    code = """
        client = new_client(batch_size=5, max_queue_size=100_000)
        client.start()
        def report():
            for _ in forever():
                track(client)
                time.sleep(0.001)
        threading.Thread(target=report, daemon=True).start()
        time.sleep(0.2)
    """
    done = program(code, python=python).end()
    assert done.code == 0
    assert deliver_rest(max_queue_size=100_000)
    assert set(done.ids) <= set(server.events)


HANDLER = """
    def handler(number, frame):
        say("stopped", client.stop({timeout}))
        {then}
    signal.signal(signal.SIGTERM, handler)
    client = new_client(batch_size=50, max_queue_size=100_000)
    client.start()
    say("up")
"""


def test_a_handler_of_sigterm_that_stops_the_client(program, server, python):
    code = HANDLER.format(timeout=20, then="sys.exit(0)") + "    track(client, 10)\n    say('ready')\n    for _ in forever(): time.sleep(0.01)\n"
    running = program(code, python=python)
    running.wait_for("ready")
    running.send(signal.SIGTERM).end()
    assert (running.code, running.errors, running.lines[-1]) == (0, [], "stopped True")
    assert set(server.events) == set(running.ids)


@pytest.mark.parametrize("mode", ["spool", "memory"])
def test_a_handler_that_stops_the_client_in_the_middle_of_track(program, deliver_rest, mode):
    """The signal comes while the main thread is inside `track`, whose lock it holds: the handler is not held up for its timeout."""
    code = (
        HANDLER.format(timeout=20, then="say('left'); sys.exit(0)").replace("new_client(", f"new_client({'spool_dir=None, ' if mode == 'memory' else ''}")
        + "    events = [client.event_builder.build(**__import__('support.events').events.fields()) for _ in range(20_000)]\n"
        + "    say('ready')\n    for event in events: client.track(event)\n    for _ in forever(): pass\n"
    )
    for _ in range(4):
        running = program(code)
        running.wait_for("ready")
        running.send(signal.SIGTERM).end(15)
        assert running.code == 0
        assert running.lines[-1] == "left"
        assert running.trouble == ""
    assert deliver_rest(max_queue_size=200_000)
