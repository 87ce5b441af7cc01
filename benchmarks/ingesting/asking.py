"""Batches of 50 predictions, one after the other on one connection, and how long each takes."""

from __future__ import annotations

import http.client
import json
import time

from ingesting.bodies import CELLS

QUERIES = 50
_SETS = len(CELLS) // QUERIES
_CYCLE = 0.5
"""Seconds after which the same is asked again: longer than a server keeps answers."""


def latencies(port: int, seconds: float, *, cached: bool) -> list[float]:
    """Milliseconds of each batch, ordered; the answers' `cache_hit` is looked at: what was measured is what was to be measured."""
    names = ("task_type", "complexity", "model", "provider")
    sets = [json.dumps({"queries": [dict(zip(names, cell, strict=True)) for cell in CELLS[start * QUERIES : (start + 1) * QUERIES]]}) for start in range(_SETS)]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    found = []
    end = time.monotonic() + seconds
    turn = 0
    while time.monotonic() < end:
        body = sets[0 if cached else turn % _SETS]
        turn += 1
        begin = time.perf_counter()
        connection.request("POST", "/v1/predictions/batch", body, {"Content-Type": "application/json"})
        answer = connection.getresponse().read()
        taken = time.perf_counter() - begin
        results = json.loads(answer)["results"]
        if all(result["metadata"]["cache_hit"] is cached for result in results):
            found.append(taken * 1000)
        time.sleep(0 if cached else max(0.0, _CYCLE / _SETS - taken))
    connection.close()
    return sorted(found)
