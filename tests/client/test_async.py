"""Use from asyncio: the event loop goes on while the client waits."""

import asyncio

import pytest

from mosaic_telemetry.testing import Answer


class Ticker:
    """Counts how often the event loop comes by, every 5 ms at most."""

    count = 0

    async def __aenter__(self):
        self.task = asyncio.create_task(self._tick())
        await asyncio.sleep(0)
        return self

    async def _tick(self):
        while True:
            self.count += 1
            await asyncio.sleep(0.005)

    async def __aexit__(self, *_):
        self.task.cancel()


@pytest.mark.parametrize("call", ["aflush", "astop", "arefresh_predictions", "leaving the block"])
def test_the_loop_goes_on_while_the_server_is_slow(new_client, server, new_event, query, call):
    server.rule = lambda request: Answer(status=202, body=b'{"accepted": 1, "rejected": 0, "results": []}', delay=0.5) if "events" in request.path else None
    if call == "arefresh_predictions":
        server.answer(
            Answer(body=b'{"results": [{"prediction": null, "metadata": {"sample_size": 0, "fallback_level": -1, "confidence": "none"}}]}', delay=0.5)
        )

    async def use():
        client = new_client()
        async with Ticker() as ticker:
            await asyncio.sleep(0.05)
            before = ticker.count
            if call == "leaving the block":
                async with client:
                    client.track(new_event())
            elif call == "arefresh_predictions":
                assert await client.arefresh_predictions([query])
            else:
                client.track(new_event())
                assert await getattr(client, call)()
            return ticker.count - before

    assert asyncio.run(use()) >= 10
    assert len(server.requests) == 1


def test_a_whole_life(new_client, server, new_event, query):
    async def use():
        client = new_client()
        async with client:
            assert client.is_running
            client.track(new_event())
            assert await client.aflush()
            assert await client.arefresh_predictions([query])
            assert client.get_prediction(query) is not None
            client.track(new_event())
        assert not client.is_running

    asyncio.run(use())
    assert len(server.events) == 2


def test_one_client_in_two_loops(new_client, server, new_event):
    client = new_client()

    async def use():
        client.track(new_event())
        return await client.aflush()

    assert asyncio.run(use())
    assert asyncio.run(use())
    assert len(server.events) == 2


def test_a_time_that_runs_out(new_client, black_hole, new_event):
    client = new_client(server_url=black_hole, request_timeout=1)

    async def use():
        client.track(new_event())
        return await asyncio.wait_for(client.aflush(0.1), 8), await asyncio.wait_for(client.astop(0.1), 8)

    assert asyncio.run(use()) == (False, False)


def test_a_flush_that_is_cancelled_loses_nothing(new_client, server, new_event):
    client = new_client()
    server.answer(Answer(status=202, body=b'{"accepted": 1, "rejected": 0, "results": []}', delay=0.2))

    async def use():
        client.track(new_event())
        task = asyncio.create_task(client.aflush())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await client.aflush()

    assert asyncio.run(use())
    assert client.stats.accepted == 1


def test_many_flushes_at_once(new_client, server, new_event):
    client = new_client()

    async def use():
        for _ in range(20):
            client.track(new_event())
        return await asyncio.gather(*(client.aflush() for _ in range(20)))

    assert asyncio.run(use()) == [True] * 20
    assert len(server.events) == 20


def test_nothing_to_flush(new_client, server):
    async def use():
        client = new_client()
        return await client.aflush(), await client.astop()

    assert asyncio.run(use()) == (True, True)
    assert server.requests == []


@pytest.mark.parametrize("timeout", ["5", object()], ids=["text", "object"])
def test_a_time_that_is_none_is_reported(new_client, errors, new_event, timeout):
    client = new_client()

    async def use():
        client.track(new_event())
        return await client.aflush(timeout)

    assert asyncio.run(use()) is False
    assert len(errors) == 1


def test_an_exception_passes_the_block_and_the_events_arrive(new_client, server, new_event):
    async def use():
        async with new_client() as client:
            client.track(new_event())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(use())
    assert len(server.events) == 1
