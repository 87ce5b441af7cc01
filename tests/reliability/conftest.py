"""A real server on a socket, a spool of the test's own, clients in this process and programs beside it."""

from collections import Counter
from contextlib import ExitStack

import pytest
from support import outages
from support.events import fields
from support.programs import VERSIONS, Program, interpreter

from mosaic_telemetry import EventBuilder, TelemetryClient, TelemetryConfig
from mosaic_telemetry.testing import LocalServer


@pytest.fixture
def server():
    with LocalServer() as running:
        yield running


@pytest.fixture
def spool(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def settings(server, spool):
    """Makes settings for `server`, as plain texts and numbers: programs get the same ones through their environment."""

    def make(**changes):
        access = {"server_url": server.url, "api_key": server.api_key, "instance_id": server.instance_id}
        return {**access, "spool_dir": str(spool), **changes}

    return make


@pytest.fixture
def errors():
    """What reached `on_error` of the clients in this process."""
    return []


@pytest.fixture
def config(settings, errors):
    def make(**changes):
        return TelemetryConfig(**{"on_error": errors.append, **settings(**changes)})

    return make


@pytest.fixture
def new_client(config):
    """Makes clients, and stops them after the test."""
    made = []

    def make(**changes):
        made.append(TelemetryClient(config(**changes)))
        return made[-1]

    yield make
    for client in made:
        client.stop(0.05)


@pytest.fixture
def new_event(config):
    builder = EventBuilder(config())
    return lambda **changes: builder.build(**fields(**changes))


@pytest.fixture
def program(settings):
    """Starts programs, and ends them after the test."""
    with ExitStack() as stack:

        def start(code="", *, python=None, command=None, options=None, **changes):
            more = {} if python is None else {"python": python}
            return stack.enter_context(Program(code, settings(**changes), command=command, **more, **(options or {})))

        yield start


@pytest.fixture
def deliver_rest(new_client):
    """What the next process does: take up what was left, and send it."""
    return lambda **changes: new_client(**changes).stop(30)


@pytest.fixture(params=VERSIONS)
def python(request):
    """Each interpreter that can be found, without any of our dependencies."""
    found = interpreter(request.param)
    if found is None:
        pytest.skip(f"no python{request.param} on this machine")
    return found


@pytest.fixture
def black_hole():
    with outages.black_hole() as url:
        yield url


@pytest.fixture
def dead_url():
    return outages.dead_url()


@pytest.fixture
def sent(server):
    """How often each event was sent to `server`, by its id. A request whose sender was killed amid it does not count."""

    def count():
        whole = [request for request in server.requests if len(request.body) == int(request.headers["content-length"])]
        return Counter(event["event_id"] for request in whole for event in request.json["events"])

    return count


@pytest.fixture
def finish(server, sent, deliver_rest):
    """What has to hold of a program that forked: nobody hung, every request was whole, and each event was sent once."""

    def check(done):
        assert done.code == 0
        assert not [line for line in done.lines if "hangs" in line], done.errors
        assert done.trouble == ""
        assert all(request.json["events"] for request in server.requests)
        assert deliver_rest()
        assert set(server.events) == set(done.ids)
        assert set(sent().values()) <= {1}

    return check
