"""A real server on a socket, and clients that talk to it."""

import socket
import threading
from contextlib import ExitStack, contextmanager

import pytest
from support.events import fields

from mosaic_telemetry import EventBuilder, PredictionQuery, TelemetryClient, TelemetryConfig
from mosaic_telemetry.client.capture import captures
from mosaic_telemetry.schema import from_dict
from mosaic_telemetry.testing import LocalServer


@pytest.fixture(autouse=True)
def no_captures_left():
    """A capture that a failed test left behind would take the events of all tests after it."""
    yield
    captures.clear()


@pytest.fixture
def server():
    with LocalServer() as running:
        yield running


@pytest.fixture
def errors():
    """What reached `on_error`."""
    return []


@pytest.fixture
def config(server, errors):
    """Makes a configuration for `server`, with events in memory only unless `spool_dir` says otherwise."""

    def make(**overrides):
        access = {"server_url": server.url, "api_key": server.api_key, "instance_id": server.instance_id}
        return TelemetryConfig(**{**access, "on_error": errors.append, "spool_dir": None, **overrides})

    return make


@pytest.fixture
def new_client(config):
    """Makes clients, and stops them after the test."""
    made = []

    def make(**overrides):
        client = TelemetryClient(config(**overrides))
        made.append(client)
        return client

    yield make
    for client in made:
        client.stop(0.05)


@pytest.fixture
def client(new_client):
    return new_client()


@pytest.fixture
def new_event(config):
    """Makes valid events."""
    builder = EventBuilder(config())
    return lambda **changes: builder.build(**fields(**changes))


@pytest.fixture
def query():
    return from_dict(PredictionQuery, {"task_type": "testing", "model": "m", "provider": "openai", "complexity": "low"})


@pytest.fixture
def dead_url():
    """The URL of a server that is gone: nobody listens there."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}"


@pytest.fixture
def black_hole():
    """The URL of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def serving(talk):
    """The URL of a server that lets `talk(connection, ending)` speak raw bytes to every client; `ending` is set when it has to end."""
    ending = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.02)

    def speak(connection):
        with connection:
            connection.settimeout(5)
            try:
                talk(connection, ending)
            except OSError:
                return

    def accept():
        with listener:
            while not ending.is_set():
                try:
                    connection, _ = listener.accept()
                except TimeoutError:
                    continue
                talks.append(threading.Thread(target=speak, args=(connection,), daemon=True))
                talks[-1].start()

    talks: list[threading.Thread] = []
    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        ending.set()
        thread.join()
        for one in talks:
            one.join(5)


@pytest.fixture
def raw_server():
    """Starts servers that speak raw bytes: `raw_server(talk)` is the URL of one, `talk(connection, ending)` its side of the talk."""
    with ExitStack() as stack:
        yield lambda talk: stack.enter_context(serving(talk))
