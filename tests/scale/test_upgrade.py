"""A rolling upgrade: two versions of the server on one database, while clients go on reporting."""

import json
import os
import re
import subprocess
import sys
import uuid

import pytest
from support.hosts import Hosts, Load
from support.server import COMMAND
from support.upgrades import ADDED_COLUMN, ADDED_TABLE, NEXT_VERSION, make_next_version, tables_of
from support.waiting import wait_for

from mosaic_telemetry import __version__
from mosaic_telemetry.engine.store.postgres import migrations as postgres
from mosaic_telemetry.engine.store.sqlite import migrations as sqlite

VERIFY = """
import json, sys
from mosaic_telemetry import __version__
from mosaic_telemetry.engine import open_engine
with open_engine(sys.argv[1]) as engine:
    engine.roll_up()
    print(json.dumps([__version__, engine.sizes()["backlog"], engine.verify()]))
"""


def shows(server, model):
    status, answer = server.request("GET", f"/v1/predictions?task_type=debugging&model={model}&provider=openai&complexity=high")
    assert status == 200, answer
    return answer["metadata"]["fallback_level"] == 0


def version(server):
    return server.request("GET", "/healthz")[1]["version"]


def run(words, source=None):
    env = os.environ | ({"PYTHONPATH": str(source)} if source else {})
    return subprocess.run(words, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.timeout(180)
def test_two_versions_on_one_database_lose_nothing_and_count_everything_once(new_store, tmp_path):
    database = new_store()
    with Hosts(database, tmp_path, 2) as hosts:
        new = tmp_path / "next"
        load = Load(hosts, [f"model-{number}" for number in range(3)], clients=2)
        try:
            more(load)
            make_next_version(new, database)
            hosts.servers.append(hosts.new_server(2, new))  # brings the tables forward while the others write
            hosts.follow()
            assert ADDED_TABLE in tables_of(database)
            assert [version(server) for server in hosts.servers] == [__version__, __version__, NEXT_VERSION]
            more(load)
            for sender in hosts.servers:  # what one version takes, both count and show
                model = f"model-{uuid.uuid4().hex[:8]}"
                events = [hosts.event(task_type="debugging", model=model, provider="openai", complexity="high") for _ in range(6)]
                wait_for(lambda sender=sender, events=events: hosts.submit(sender, events)[0] == 202, 20, "an answer to a batch")
                for server in hosts.servers:
                    wait_for(lambda server=server, model=model: shows(server, model), 20, "the events of one version in a prediction of another")
            for number in range(2):
                assert hosts.servers[number].stop() == 0
                hosts.servers[number] = hosts.new_server(number, new)
                hosts.follow()
                more(load)
        finally:
            load.stop()
        assert {version(server) for server in hosts.servers} == {NEXT_VERSION}
        assert not hosts.lost(list(load.acknowledged.values()))
    done = run([sys.executable, "-c", VERIFY, str(database)], new)
    assert json.loads(done.stdout) == [NEXT_VERSION, 0, []], done.stderr

    old = run([*COMMAND, "serve", "--port", "0", "--database", str(database)])
    assert old.returncode != 0
    assert "was written by a newer mosaic-telemetry" in old.stderr
    assert "Traceback" not in old.stderr
    assert ADDED_COLUMN not in old.stderr


def more(load, events=200):
    wanted = len(load.acknowledged) + events
    wait_for(lambda: len(load.acknowledged) >= wanted, 40, "events through the proxy")


def breaking(step):
    """What of a step of the tables a server of the version before could not live with."""
    found = re.findall(r"\b(?:DROP|RENAME|TRUNCATE|DELETE|UPDATE|ALTER COLUMN|ADD CONSTRAINT)\b", step, re.IGNORECASE)
    columns = re.findall(r"ADD COLUMN[^,;]*", step, re.IGNORECASE)
    return found + [column for column in columns if re.search("NOT NULL", column, re.IGNORECASE) and not re.search("DEFAULT", column, re.IGNORECASE)]


@pytest.mark.parametrize(
    ("step", "is_breaking"),
    [
        ("CREATE TABLE more (number INTEGER); ALTER TABLE events ADD COLUMN more INTEGER; CREATE INDEX some ON more (number)", False),
        ("ALTER TABLE events ADD COLUMN more INTEGER NOT NULL DEFAULT 0", False),
        ("ALTER TABLE events ADD COLUMN more INTEGER NOT NULL", True),
        ("ALTER TABLE events DROP COLUMN language", True),
        ("ALTER TABLE events RENAME TO tasks", True),
        (sqlite.STEPS[1], True),  # of the time before the first release
        (postgres.STEPS[1], True),  # likewise
    ],
)
def test_what_a_running_server_of_the_version_before_cannot_live_with_is_found(step, is_breaking):
    assert bool(breaking(step)) == is_breaking


def test_no_step_since_the_first_release_breaks_servers_of_the_version_before():
    assert [breaking(step) for step in (*sqlite.STEPS[2:], *postgres.STEPS[2:]) if breaking(step)] == []
