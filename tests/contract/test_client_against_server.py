"""The real client against the real server process, over a socket."""

import asyncio
import os
import signal
import subprocess
import sys
import threading

import pytest
from support.events import fields
from support.server import Access, ServerProcess, create_instance
from support.waiting import wait_for

from mosaic_telemetry import (
    BatchSubmitter,
    EventRejectedError,
    HTTPStatusError,
    PredictionQuery,
    TaskCompletionEvent,
    TelemetryClient,
    TelemetryConfig,
)
from mosaic_telemetry.schema import from_dict, to_dict

QUERY = from_dict(PredictionQuery, {"task_type": "implementation", "model": "claude-sonnet-4-5", "provider": "anthropic", "complexity": "medium"})


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with ServerProcess(tmp_path_factory.mktemp("server") / "telemetry.db") as process:
        yield process


@pytest.fixture
def access(server) -> Access:
    return create_instance(server.database)


@pytest.fixture
def errors() -> list[Exception]:
    return []


@pytest.fixture
def client(server, access, errors):
    made = TelemetryClient(TelemetryConfig(server.url, access.api_key, access.instance_id, on_error=errors.append))
    yield made
    made.stop(5)


def sample_size(client: TelemetryClient, query: PredictionQuery = QUERY) -> int:
    assert client.refresh_predictions([query])
    answer = client.get_prediction(query)
    assert answer is not None
    return answer.metadata.sample_size


def test_a_thousand_events_arrive_once_and_show_in_predictions(client, errors):
    query = from_dict(PredictionQuery, {**to_dict(QUERY), "model": "thousand"})
    for number in range(1000):
        client.track(client.event_builder.build(**fields(model="thousand", actual_input_tokens=1000 + number)))
    assert client.flush(20)
    assert client.stats.accepted == 1000
    assert errors == []
    wait_for(lambda: sample_size(client, query) == 1000, 2, "1,000 events in predictions")
    answer = client.get_prediction(query)
    assert answer is not None
    assert answer.prediction is not None
    assert (answer.metadata.fallback_level, answer.metadata.confidence) == (0, "high")
    assert answer.prediction.input_tokens.median == pytest.approx(1499.5, rel=0.02)
    assert answer.prediction.input_tokens.p90 == pytest.approx(1899.1, rel=0.02)
    assert answer.prediction.correction_factors.input == pytest.approx(0.014995, rel=0.02)
    assert answer.prediction.quality.success_rate == 1.0


def test_one_bad_event_among_99_good_ones_is_reported_and_the_others_arrive(client, errors):
    events = [client.event_builder.build(**fields()) for _ in range(99)]
    bad = TaskCompletionEvent(**{**events[0].__dict__, "event_id": "0190b2c4-7d3f-7a51-9c2e-000000000001", "retry_count": 21, "model": ""})
    for event in (*events[:50], bad, *events[50:]):
        client.track(event)
    assert client.flush(20)
    assert (client.stats.accepted, client.stats.rejected) == (99, 1)
    assert [(type(error), error.event_id) for error in errors] == [(EventRejectedError, bad.event_id)]
    assert "retry_count: 21 is not an integer from 0 to 20" in str(errors[0])
    assert "model: '' is not text of 1 to 100 characters" in str(errors[0])
    client.flush(20)
    assert client.stats.sent == 100


def test_events_sent_twice_are_counted_once(server, access, client, errors):
    events = [client.event_builder.build(**fields(model="twice")) for _ in range(30)]
    for event in events + events:
        client.track(event)
    assert client.flush(20)
    other = TelemetryClient(TelemetryConfig(server.url, access.api_key, access.instance_id))
    for event in events:
        other.track(event)
    assert other.stop(20)
    assert (client.stats.accepted, client.stats.duplicate, other.stats.duplicate) == (30, 30, 30)
    assert errors == []
    query = from_dict(PredictionQuery, {**to_dict(QUERY), "model": "twice"})
    wait_for(lambda: sample_size(client, query) == 30, 2, "30 events in predictions")


def test_the_same_events_from_four_clients_at_once_are_counted_once(server, access):
    builder = TelemetryClient(TelemetryConfig(server.url, access.api_key, access.instance_id)).event_builder
    events = [builder.build(**fields(model="together")) for _ in range(300)]
    clients = [TelemetryClient(TelemetryConfig(server.url, access.api_key, access.instance_id)) for _ in range(4)]

    def send(client: TelemetryClient) -> None:
        for event in events:
            client.track(event)
        assert client.flush(30)

    threads = [threading.Thread(target=send, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(client.stats.accepted for client in clients) == 300
    assert sum(client.stats.duplicate for client in clients) == 900
    query = from_dict(PredictionQuery, {**to_dict(QUERY), "model": "together"})
    wait_for(lambda: sample_size(clients[0], query) == 300, 2, "300 events in predictions")
    for client in clients:
        client.stop(5)


@pytest.mark.parametrize("key", ["0" * 64, "short"])
def test_a_wrong_key_is_refused_and_loses_nothing(server, access, errors, key):
    client = TelemetryClient(TelemetryConfig(server.url, key, access.instance_id, on_error=errors.append))
    client.track(client.event_builder.build(**fields()))
    assert not client.flush(5)
    assert client.queue_size == 1
    assert str(errors[0]).startswith("HTTP 401: Unauthorized")
    client.stop(1)


def test_a_key_of_another_instance_is_refused_and_loses_nothing(server, access, errors):
    other = create_instance(server.database)
    client = TelemetryClient(TelemetryConfig(server.url, other.api_key, access.instance_id, on_error=errors.append))
    client.track(client.event_builder.build(**fields()))
    assert not client.flush(5)
    assert client.queue_size == 1
    assert isinstance(errors[0], HTTPStatusError)
    assert str(errors[0]).startswith("HTTP 403: Forbidden")
    client.stop(1)


def test_an_event_of_another_instance_does_not_keep_its_neighbours(server, client, errors):
    stranger = create_instance(server.database)
    foreign = TelemetryClient(TelemetryConfig(server.url, stranger.api_key, stranger.instance_id)).event_builder.build(**fields())
    client.track(client.event_builder.build(**fields()))
    client.track(foreign)
    client.track(client.event_builder.build(**fields()))
    assert client.flush(10)
    assert (client.stats.accepted, client.stats.dropped) == (2, 1)
    assert "another instance_id" in str(errors[-1])


def test_120_queries_are_split_over_requests(client):
    queries = [from_dict(PredictionQuery, {**to_dict(QUERY), "model": f"model-{number}"}) for number in range(120)]
    assert client.refresh_predictions(queries)
    assert all(client.get_prediction(query) is not None for query in queries)


def test_async_use(server, access):
    async def report() -> int:
        async with TelemetryClient(TelemetryConfig(server.url, access.api_key, access.instance_id)) as client:
            async with client.task(task_type="testing", model="async") as task:
                task.add_usage(input_tokens=10, output_tokens=5)
            assert await client.aflush()
            assert await client.arefresh_predictions([QUERY])
            return client.stats.accepted

    assert asyncio.run(report()) == 1


def test_the_submitter_alone(client):
    submitter = BatchSubmitter(client.config)
    event = client.event_builder.build(**fields())
    first, second = submitter.submit([event]), submitter.submit([event])
    assert first.success
    assert second.success
    assert [first.response.results[0].status, second.response.results[0].status] == ["accepted", "rejected"]
    assert "duplicate" in second.response.results[0].error
    submitter.close()


def test_what_is_accepted_survives_a_killed_server(tmp_path):
    database = tmp_path / "telemetry.db"
    with ServerProcess(database) as first:
        access = create_instance(database)
        client = TelemetryClient(TelemetryConfig(first.url, access.api_key, access.instance_id))
        for _ in range(250):
            client.track(client.event_builder.build(**fields(model="survivor")))
        assert client.flush(20)
        first.kill()
    with ServerProcess(database) as second:
        reader = TelemetryClient(TelemetryConfig(second.url, access.api_key, access.instance_id))
        query = from_dict(PredictionQuery, {**to_dict(QUERY), "model": "survivor"})
        wait_for(lambda: sample_size(reader, query) == 250, 3, "250 events in predictions")
        assert sample_size(reader, query) == 250


PROGRAM = """
import sys
from mosaic_telemetry import TelemetryClient, TelemetryConfig
client = TelemetryClient(TelemetryConfig.from_env())
for _ in range(5):
    with client.task(task_type="testing", model="exit-hook", provider="anthropic") as task:
        task.add_usage(input_tokens=1)
"""


def test_a_program_that_only_tracks_delivers_at_its_exit_or_leaves_it_to_the_next(server, access):
    env = {
        **os.environ,
        "MOSAIC_TELEMETRY_SERVER_URL": server.url,
        "MOSAIC_TELEMETRY_API_KEY": access.api_key,
        "MOSAIC_TELEMETRY_INSTANCE_ID": access.instance_id,
    }
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, env=env, timeout=30)
    query = from_dict(PredictionQuery, {**to_dict(QUERY), "model": "exit-hook", "task_type": "testing"})
    following = TelemetryClient(TelemetryConfig(server.url, access.api_key, access.instance_id))
    assert following.stop(20)  # on a machine under load the half second of an exit may be too short
    wait_for(lambda: sample_size(following, query) == 5, 5, "the events in predictions")


def test_sigterm_stops_the_server_cleanly(tmp_path):
    with ServerProcess(tmp_path / "telemetry.db") as process:
        assert process.stop() == 0


def test_ctrl_c_stops_the_server_cleanly(tmp_path):
    with ServerProcess(tmp_path / "telemetry.db") as process:
        process.process.send_signal(signal.SIGINT)
        assert process.process.wait(timeout=20) in {0, 130}
