"""Never a nuisance: what we cost a host that has nothing to report, or nobody to report to."""

import re
from pathlib import Path

import pytest

needs_proc = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="reads /proc")


@needs_proc
def test_an_idle_client_has_one_thread_that_sleeps_through_its_interval(program):
    code = """
        def switches():
            total = 0
            for task in os.listdir("/proc/self/task"):
                if int(task) != os.getpid():
                    with open(f"/proc/self/task/{task}/status") as file:
                        total += sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)
            return total
        client = new_client()
        client.start()
        track(client, 3)
        client.flush(20)
        wait(lambda: (before := switches(), time.sleep(0.2), switches())[0] == switches())
        before = switches()
        time.sleep(3)
        say("threads", len(os.listdir("/proc/self/task")) - 1)
        say("switches", switches() - before)
        os._exit(0)
    """
    done = program(code).end()
    assert done.lines[-2:] == ["threads 1", "switches 0"]


@needs_proc
def test_a_short_interval_costs_one_wake_up_each(program):
    code = """
        client = new_client(submit_interval=0.25)
        client.start()
        thread = next(thread for thread in threading.enumerate() if thread.name == "mosaic-telemetry")
        def switches():
            with open(f"/proc/self/task/{thread.native_id}/status") as file:
                return next(int(line.split()[1]) for line in file if line.startswith("voluntary_ctxt_switches"))
        time.sleep(0.3)
        before = switches()
        time.sleep(2.5)
        say("switches", switches() - before)
        os._exit(0)
    """
    done = program(code).end()
    (switches,) = [int(line.split()[1]) for line in done.lines if line.startswith("switches")]
    # A wake-up is a switch or a few: it may have to wait for the interpreter's lock.
    assert 5 <= switches <= 44


@needs_proc
@pytest.mark.parametrize("spooled", [True, False], ids=["spool", "memory"])
def test_fifty_thousand_events_into_a_full_queue_with_a_dead_server(program, dead_url, spool, spooled):
    code = f"""
        import resource
        from support.events import fields
        from mosaic_telemetry import TaskCompletionEvent
        def resident():
            with open("/proc/self/statm") as file:
                return int(file.read().split()[1]) * resource.getpagesize()
        client = new_client({"" if spooled else "spool_dir=None"})
        client.start()
        build = client.event_builder.build
        for _ in range(1100): client.track(build(**fields()))
        before = resident()
        slowest = 0.0
        for _ in range(50_000):
            event = build(**fields())
            begun = time.perf_counter()
            client.track(event)
            slowest = max(slowest, time.perf_counter() - begun)
        say("grown", resident() - before)
        say("slowest", slowest)
        stats = client.stats
        say("accounted", stats.dropped + client.queue_size)
        os._exit(0)
    """
    done = program(code, server_url=dead_url).end()
    words = dict(line.split() for line in done.lines)
    assert int(words["grown"]) <= 10 * 1024 * 1024
    assert float(words["slowest"]) < 1.0
    assert len(done.errors) <= 2
    # What a request holds at this moment waits neither in the queue nor is it given up.
    assert 51_100 - 100 <= int(words["accounted"]) <= 51_100
    assert sum(path.stat().st_size for path in spool.glob("*/*")) <= 3 * 1024 * 1024
    assert len(list(spool.glob("*/*"))) <= 20


def test_a_minute_of_trouble_is_one_line_on_our_own_logger(program, dead_url):
    code = """
        import logging
        lines = []
        class Handler(logging.Handler):
            def emit(self, record):
                lines.append(record)
        root = logging.getLogger()
        root.addHandler(Handler())
        client = new_client(max_retries=0, max_queue_size=5)
        client.start()
        for _ in range(30):
            track(client, 5)
            client.track("nasty")
            client.flush(0.2)
        say("lines", len(lines), {record.name for record in lines}, root.level, root.handlers == [root.handlers[0]])
        say("ours", logging.getLogger("mosaic_telemetry").handlers, logging.getLogger("mosaic_telemetry").level)
        os._exit(0)
    """
    done = program(code, server_url=dead_url).end()
    assert done.lines[-2:] == ["lines 1 {'mosaic_telemetry'} 30 True", "ours [] 0"]
    assert done.errors == []


def test_without_any_logging_set_up_one_line_reaches_the_person(program, dead_url):
    done = program("client = new_client(max_retries=0); track(client, 3); [client.flush(1) for _ in range(5)]; os._exit(0)", server_url=dead_url).end()
    assert len(done.errors) == 1
    assert re.fullmatch(r"mosaic-telemetry: \[Errno \d+\] .+", done.errors[0])


def test_a_dry_run_asks_for_no_predictions_either(program, server, tmp_path):
    """Not even to renew one that is stale."""
    cache = tmp_path / "predictions.json"
    code = """
        from mosaic_telemetry import PredictionQuery
        from mosaic_telemetry.schema import from_dict
        query = from_dict(PredictionQuery, {"task_type": "testing", "model": "m", "provider": "openai", "complexity": "low"})
        settings = {"prediction_cache_ttl": 0.01, "prediction_stale_ttl": 3600.0, "prediction_cache_file": os.environ["CACHE"]}
        assert new_client(**settings).refresh_predictions([query])
        time.sleep(0.05)
        client = new_client(dry_run=True, **settings)
        assert client.get_prediction(query) is not None
        client.predict(query, 0.3)
        client.refresh_predictions([query])
        end = time.monotonic() + 2
        while any(thread.name == "mosaic-telemetry-predictions" for thread in threading.enumerate()) and time.monotonic() < end:
            time.sleep(0.01)
    """
    done = program(code, options={"env": {"CACHE": str(cache)}}).end()
    assert (done.code, done.errors) == (0, [])
    assert len(server.requests) == 1
