"""How long does a page of the dashboard take, with a million events behind it?

The whole page over HTTP, on a connection that is kept, with nobody else on the server: made on the server, not drawn in a browser. The
events came from 20 instances over 90 days, of 720 kinds of task and three harnesses, and are all counted: once by a private server, once by
a public one. What a form changes is durable when its page is there.

    python benchmarks/pages.py [--events 1000000] [--rounds 100]
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import os
import platform
import re
import tempfile
import time
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode
from uuid import uuid4

from ingesting.bodies import Bodies
from ingesting.building import copied
from ingesting.servers import ours
from support.tables import quantile, table

from mosaic_telemetry.engine import open_engine
from mosaic_telemetry.engine.ingest import judge_body
from mosaic_telemetry.engine.intake import ACCEPTED, DUPLICATE
from mosaic_telemetry.engine.standing import Admission
from mosaic_telemetry.engine.store import IntakeKey
from mosaic_telemetry.engine.store.sqlite import SqliteStore

ADMIN_KEY = "7e1ead" + "5" * 58
DAYS = 90
INSTANCES = 20
PAGES = {
    "overview": "/",
    "overview, 90 days": "/?days=90",
    "overview, 365 days": "/?days=365",
    "overview, one model": "/?days=90&model=model-03",
    "overview, three filters": "/?days=90&model=model-05&task_type=debugging&harness=aider",
    "models": "/models",
    "models, filtered": "/models?task_type=debugging&complexity=high&budget=0.5",
    "predict, the form": "/predict",
    "predict, an answer": "/predict?task_type=debugging&model=model-03&provider=anthropic&complexity=high",
    "accuracy": "/accuracy",
    "activity": "/activity",
    "activity, 90 days": "/activity?days=90",
    "instances, signed in": "/instances",
}
FORMS = {
    "instances, sign in": ("/instances/sign-in", {"key": ADMIN_KEY}),
    "instances, create one": ("/instances/create", {"name": "another"}),
}
PUBLIC = ("overview", "overview, 90 days", "models", "predict, an answer", "accuracy", "activity, 90 days")
HARNESSES = ("claude_code", "opencode", "aider")
REFUSED = ("invalid: retry_count", "invalid: model", "invalid")
_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
_MODEL = re.compile(rb'"claude_code","model":"model-(\d+)"')
_NO_KEY = {"api_key": "", "instance_id": ""}


def fill(database: Path, events: int) -> None:
    """Events of several instances, as if they had come over 90 days."""
    with open_engine(database, keep=False) as engine:
        keys = [engine.create_instance(f"team-{number:02d}").api_key for number in range(INSTANCES)]
        instances = [found for key in keys if (found := engine.authenticate(key))]
    bodies = Bodies(str(instances[0].instance_id))
    pool = [event for _ in range(64) for event in judge_body(_in_harnesses(bodies.make()), instances[0].instance_id).events]
    now = int(time.time() * 1000)
    size = max(1, events // (DAYS * INSTANCES))
    with closing(SqliteStore(database)) as store:
        for day, instance in itertools.product(range(DAYS, 0, -1), instances):
            at = now - day * 86_400_000
            drawn = itertools.islice(itertools.cycle(pool), instance.number * 97, instance.number * 97 + size)
            store.insert(instance.number, at, [event._replace(event_id=uuid4().bytes, timestamp_ms=at) for event in drawn]).result()
            came = {ACCEPTED: size, DUPLICATE: size // 50} | dict.fromkeys(REFUSED, 1 + size // 100)
            store.add_intake({IntakeKey(at // 86_400_000, instance.number, result): count for result, count in came.items()}).result()
    with open_engine(database, keep=False) as engine:
        engine.roll_up()


def _in_harnesses(body: bytes) -> bytes:
    """Each model in the harness that it is used in."""
    return _MODEL.sub(lambda found: b'"%b","model":"model-%b"' % (HARNESSES[int(found[1]) % 3].encode(), found[1]), body)


def measure(port: int, pages: Iterable[str], forms: Iterable[str], rounds: int) -> list[list[str]]:
    """A row a page."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    cookie = {"Cookie": _sign_in(connection)}
    asked: list[tuple[str, str, str, str | None]] = [(name, "GET", PAGES[name], None) for name in pages]
    asked += [(name, "POST", FORMS[name][0], urlencode(FORMS[name][1])) for name in forms]
    rows = []
    for name, method, path, form in asked:
        took = []
        for _ in range(rounds):
            begin = time.perf_counter()
            connection.request(method, path, form, {**_FORM, **cookie} if form else cookie)
            answer = connection.getresponse()
            body = answer.read()
            took.append(time.perf_counter() - begin)
            if answer.status not in {200, 303}:
                raise RuntimeError(f"{path} answers {answer.status}")
        rows.append([name, *[f"{quantile(sorted(took), share) * 1000:.1f}" for share in (0.5, 0.99)], f"{len(body) / 1000:.0f}"])
    return rows


def _sign_in(connection: http.client.HTTPConnection) -> str:
    connection.request("POST", "/instances/sign-in", urlencode({"key": ADMIN_KEY}), _FORM)
    answer = connection.getresponse()
    answer.read()
    cookie = answer.getheader("Set-Cookie")
    if cookie is None:
        raise RuntimeError(f"signing in answers {answer.status}")
    return cookie.partition(";")[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000, help="events in the database")
    parser.add_argument("--rounds", type=int, default=100, help="times that each page is asked for")
    given = parser.parse_args()
    os.environ["MOSAIC_TELEMETRY_ADMIN_KEY"] = ADMIN_KEY
    with tempfile.TemporaryDirectory(prefix="mt-bench-") as directory:
        database = Path(directory) / "telemetry.db"
        fill(database, given.events)
        public = copied(database, Path(directory) / "public.db")
        with open_engine(public, keep=False, admission=Admission(0)) as engine:
            engine.roll_up()  # what a public server makes of the same events
        with ours(str(database), 1, _NO_KEY) as target:
            rows = measure(target.port, PAGES, FORMS, given.rounds)
        with ours(str(public), 1, _NO_KEY, ["--public", "--trial-days", "0", "--address-rate", "0"]) as target:
            rows += [[f"public: {name}", *cells] for name, *cells in measure(target.port, PUBLIC, (), given.rounds)]
    print(f"{given.events:,} events, {datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {os.cpu_count()} cores\n")
    print(table(["page", "p50 ms", "p99 ms", "kB"], rows))


if __name__ == "__main__":
    main()
