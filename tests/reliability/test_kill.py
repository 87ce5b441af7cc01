"""SIGKILL at random moments: no event whose `track` had returned is lost, and none counts twice.

A few rounds in the suite; `make soak` runs 200.
"""

import dataclasses
import os
import random
import time

import pytest
from support.waiting import wait_for

from mosaic_telemetry.testing import Answer

ROUNDS = 200 if os.environ.get("MOSAIC_TELEMETRY_SOAK") else 8

CODE = """
    client = new_client(batch_size=7, submit_interval=0.02, max_retries=0)
    client.start()
    for _ in forever():
        track(client, 2)
        time.sleep(0.002)
"""


@pytest.mark.timeout(1200)
def test_killed_at_random_moments(program, server, deliver_rest, spool, capsys):
    dice = random.Random()
    told: set[str] = set()
    running = []
    again = 0

    def rule(request):
        nonlocal again
        again += sum(event["event_id"] in server.events for event in request.json["events"])
        roll = dice.random()
        if roll < 0.05:
            return Answer(status=503)
        if roll < 0.10:
            return Answer(hang_up=True, process=True)  # taken, but the answer gets lost
        return Answer(status=429, headers={"Retry-After": "0.01"}) if roll < 0.13 else None

    server.rule = rule
    for _ in range(ROUNDS):
        running.append(program(CODE, max_queue_size=100_000))
        wait_for(lambda: running[-1].ids, 30, "the first event")
        time.sleep(dice.uniform(0, 0.2))  # the moment
        running[-1].kill()
        assert running[-1].trouble == ""
        told.update(running[-1].ids)
        server.requests[:] = [dataclasses.replace(request, body=b'{"events":[]}') for request in server.requests]  # keeps 200 rounds small
    server.rule = None
    assert deliver_rest(max_queue_size=100_000)
    lost = told - set(server.events)
    if ROUNDS > 8:
        with capsys.disabled():
            print(f"\n{ROUNDS} rounds, {len(told):,} events whose track had returned: {len(lost)} lost, {again:,} sent again and counted once")  # noqa: T201 - the figures are what a soak is run for
    assert lost == set()
    # An event that was written, but whose process died before it could say so, may be there: one a process at most.
    assert len(set(server.events) - told) <= ROUNDS
    wait_for(lambda: not list(spool.glob("*/*.jsonl")), what="the removal of the files")
