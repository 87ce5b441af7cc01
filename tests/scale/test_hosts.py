"""Several servers in front of one store: what is promised of one holds of all of them together."""

import threading
import time
import uuid

import pytest
from support.hosts import ADMIN_KEY, Hosts, Load
from support.waiting import wait_for

from mosaic_telemetry.engine import open_engine
from mosaic_telemetry.schema import PredictionQuery
from mosaic_telemetry.server.answers import KEPT_SECONDS

RATE, BURST, SECONDS = 30, 30, 4


@pytest.fixture(scope="module")
def hosts(new_store, tmp_path_factory):
    with Hosts(new_store(), tmp_path_factory.mktemp("hosts"), 3) as hosts:
        yield hosts


def fresh_model():
    return f"model-{uuid.uuid4().hex[:8]}"


def query(model):
    return {"task_type": "debugging", "model": model, "provider": "openai", "complexity": "high"}


def known(server, model):
    """How many events of a model a server answers by."""
    status, answer = server.request("POST", "/v1/predictions/batch", {"queries": [query(model)]})
    assert status == 200, answer
    metadata = answer["results"][0]["metadata"]
    return metadata["sample_size"] if metadata["fallback_level"] == 0 else 0


def test_what_one_accepts_shows_at_all_others_and_no_cache_is_kept_alive_by_asking(hosts):
    assert KEPT_SECONDS <= 1
    model, late = fresh_model(), {}
    for server in hosts.servers:
        assert known(server, model) == 0
    stop = threading.Event()
    seen = {server: threading.Event() for server in hosts.servers}

    def ask(server):
        while not stop.is_set() and not seen[server].is_set():  # so often that a cache that lives on when it is used would never be renewed
            if known(server, model) == 6:
                late[server] = time.monotonic()
                seen[server].set()

    threads = [threading.Thread(target=ask, args=(server,)) for server in hosts.servers]
    for thread in threads:
        thread.start()
    try:
        status, answer = hosts.submit(hosts.servers[0], [hosts.event(**query(model)) for _ in range(6)])
        assert (status, answer["accepted"]) == (202, 6)
        with open_engine(hosts.database, keep=False) as engine:
            wait_for(lambda: engine.predict([PredictionQuery(**query(model))])[0].metadata.sample_size == 6, 20, "the count in the store")
        there = time.monotonic()
        for server in hosts.servers:
            assert seen[server].wait(20), "the prediction does not show at another server"
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert max(late.values()) - there < 1 + 4  # a second is promised; the rest is for a machine that does other things as well


def test_a_key_works_everywhere_at_once_and_is_refused_everywhere_at_once(hosts):
    first, *others = hosts.servers
    status, made = first.request("POST", f"/v1/admin/instances/{hosts.access.instance_id}/keys", {"name": "short-lived"}, key=ADMIN_KEY)
    assert status == 201, made
    for server in hosts.servers:
        assert hosts.submit(server, [hosts.event()], key=made["api_key"])[0] == 202
    status, _ = first.request("DELETE", f"/v1/admin/instances/{hosts.access.instance_id}/keys/{made['key']['number']}", key=ADMIN_KEY)
    assert status == 200
    for server in (*others, first):
        assert hosts.submit(server, [hosts.event()], key=made["api_key"])[0] == 401


@pytest.mark.timeout(120)
def test_a_server_that_is_killed_under_load_takes_nothing_with_it_and_all_keepers_together_count_once(hosts):
    before = hosts.counted()
    load = Load(hosts, [fresh_model() for _ in range(3)])
    try:
        for number in range(2):
            wanted = len(load.acknowledged) + 600
            wait_for(lambda wanted=wanted: len(load.acknowledged) >= wanted, 40, "events through the proxy")
            hosts.servers[number].kill()
            wanted = len(load.acknowledged) + 300
            wait_for(lambda wanted=wanted: len(load.acknowledged) >= wanted, 40, "events through the proxy without one of the servers")
            hosts.servers[number] = hosts.new_server(number)
            hosts.follow()
    finally:
        load.stop()
    assert not hosts.lost(list(load.acknowledged.values()))
    assert len(load.acknowledged) <= hosts.counted() - before <= len(load.sent)
    with open_engine(hosts.database) as engine:
        engine.roll_up()
        assert engine.sizes()["backlog"] == 0
        assert engine.verify() == []


@pytest.mark.timeout(90)
def test_a_limit_holds_for_all_servers_together(new_store, tmp_path):
    with Hosts(new_store(), tmp_path, 3, "--key-rate", str(RATE), "--key-burst", str(BURST)) as hosts:
        let_in, began = [], time.monotonic()

        def press():
            while (next_at := time.monotonic() + 0.2) - 0.2 < began + SECONDS:
                status, _ = hosts.send([hosts.event()])
                assert status in {202, 429}
                if status == 202:
                    let_in.append(time.monotonic())
                time.sleep(max(0.0, next_at - time.monotonic()))

        threads = [threading.Thread(target=press) for _ in range(16)]  # five a second each: twice as many as are let in, also where an answer takes long
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        allowed = BURST + RATE * (time.monotonic() - began)
        assert 0.8 * allowed <= len(let_in) <= 1.2 * allowed, (len(let_in), allowed)
