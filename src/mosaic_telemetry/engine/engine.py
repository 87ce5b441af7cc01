"""The engine: all that the server does, without HTTP; also for commands that work on the database themselves."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, Literal

from mosaic_telemetry.engine.accounts import Accounts, Credentials
from mosaic_telemetry.engine.accuracy import accuracy_as_json, read_records
from mosaic_telemetry.engine.advising import standings
from mosaic_telemetry.engine.asking import read_queries
from mosaic_telemetry.engine.background import Background
from mosaic_telemetry.engine.federation import LEAST_CONTRIBUTORS, Prior, Priors, Published, to_publish
from mosaic_telemetry.engine.keeping import PUBLIC, Keeper, Retention
from mosaic_telemetry.engine.known import KnownLadders
from mosaic_telemetry.engine.limits import Limiter
from mosaic_telemetry.engine.observing import Observer
from mosaic_telemetry.engine.predict import predict
from mosaic_telemetry.engine.receiving import Receiver, Submission
from mosaic_telemetry.engine.recount import differences
from mosaic_telemetry.engine.reporting import number_of
from mosaic_telemetry.engine.scoring import Calibrations
from mosaic_telemetry.engine.standing import Admission
from mosaic_telemetry.engine.store import Instance, IntakeKey, Store, StoredCell, TotalKey, Totals
from mosaic_telemetry.engine.store.opening import open_store
from mosaic_telemetry.forecast import CellKey, Standing
from mosaic_telemetry.schema import BatchEventResponse, PredictionQuery, PredictionResponse, TaskCompletionEvent

__all__ = ["Engine", "open_engine"]

_EVER = (-1_000_000, 1_000_000)


class Engine:
    """Ingest, predictions and accounts on one store. Safe to use from several threads.

    Args:
        store: closed by `close`.
        now: the time, in seconds since 1970.
        retention: how long events count and are kept.
        keep: whether to keep the store's cells in a thread of this process; without it another process has to.
        admission: what counts on a public server; False makes it a private one, and None leaves it as the store has it.
    """

    def __init__(
        self,
        store: Store,
        now: Callable[[], float] = time.time,
        retention: Retention | None = None,
        *,
        keep: bool = True,
        admission: Admission | Literal[False] | None = None,
    ) -> None:
        self._store = store
        self._now = now
        self._admission = admission
        self._window_days = (retention or Retention()).window_days
        self._calibrations = Calibrations(store, now)
        self._accounts = Accounts(store, now)
        self._priors = Priors(store)
        self._ladders = KnownLadders()
        self._limiter: Limiter | None = None
        self._keeper = Keeper(store, now, retention, public=None if admission is None else bool(admission))
        self._background = Background(self._keeper) if keep else None
        self._receiver = Receiver(store, self._now_ms, admission or None, self._background.wake if self._background else _nobody)

    def submit(self, instance: Instance, body: bytes) -> Submission:
        """Take the body of `POST /v1/events/batch`; does not wait for the store.

        Raises:
            OverloadedError: too many events wait for the store already.
            BrokenJsonError: the body is no JSON.
            FormError: it is no batch of 1 to 100 events.
            WrongInstanceError: an event names another instance; nothing of the batch is stored.
        """
        return self._receiver.submit(instance, body)

    def check_room(self) -> None:
        """Raise `OverloadedError` if `submit` would, whatever it was given: to ask before a body is read."""
        self._receiver.check_room()

    def ingest(self, instance: Instance, events: Sequence[TaskCompletionEvent]) -> BatchEventResponse:
        """Store any number of events; returns when they are durable, with one verdict per event in their order.

        Raises:
            WrongInstanceError: an event names another instance; nothing is stored.
            DatabaseError: the database failed; some of the events may be stored, and sending all again does no harm.
            OverloadedError: too many events of other threads wait already; as above.
            ValueError: an event holds a value that has no JSON form.
        """
        return self._receiver.ingest(instance, events)

    def read_queries(self, body: bytes) -> Sequence[PredictionQuery]:
        """The queries in the body of `POST /v1/predictions/batch`.

        Raises:
            BrokenJsonError: the body is no JSON.
            FormError: it is no batch of 1 to 50 queries; the text names what is wrong.
        """
        return read_queries(body)

    def predict(self, queries: Sequence[PredictionQuery], prior: Prior | None = None) -> list[PredictionResponse]:
        """One answer per query, in their order.

        Args:
            queries: what is asked.
            prior: somebody else's data to begin with, in the place of what was imported.

        Raises:
            DatabaseError: the store cannot be read.
        """
        state, today = self._store.state(), int(self._now()) // 86_400
        public = bool(self._admission) or state.profile == PUBLIC
        return predict(
            queries,
            self.find_cells,
            today,
            public=public,
            calibrations=self._calibrations.current(),
            window_days=self._window_days,
            prior=prior or self._priors.current(),
            remembered=self._ladders.at((state.version, today, public)),
        )

    @property
    def priors(self) -> Priors:
        """Somebody else's data that answers begin with."""
        return self._priors

    def publish(self, source: str, least: int = LEAST_CONTRIBUTORS) -> Published:
        """What of the cells others may know: see `to_publish`.

        Raises:
            DatabaseError: the store cannot be read.
        """
        return to_publish(self._store.state(), self._store.list_cells(), source, least)

    def compare(self, task_type: str, complexity: str, models: Sequence[str] = (), budget: float = math.inf) -> list[Standing]:
        """Models on one kind of task, from the cheapest per success to the dearest; those that are not known well enough last.

        Args:
            task_type: kind of work.
            complexity: size of the task.
            models: which to compare; all that have been reported for such tasks, if none is named.
            budget: micro-dollars that a typical task may cost; models above are left out.

        Raises:
            DatabaseError: the store cannot be read.
        """
        asked = models or [str(name[0]) for name in self._store.sum_totals(_EVER, ("model",), {"task_type": task_type, "complexity": complexity})]
        public = self.is_public
        found = standings(task_type, complexity, asked, self.find_cells, public=public, budget=budget)
        # The mere name of a model that few report could tell who they are: on a public server it has to be asked for.
        return [one for one in found if one.events or models or not public]

    def accuracy(self) -> dict[str, Any]:
        """How good past predictions were, as JSON values: see `accuracy_as_json`.

        Raises:
            DatabaseError: the store cannot be read.
        """
        return accuracy_as_json(read_records(self._store))

    @property
    def is_remote(self) -> bool:
        """Whether a read may wait for another process or machine: an event loop lets a thread wait then."""
        return self._store.is_remote

    @property
    def is_public(self) -> bool:
        """Whether this is a public server, on which no instance counts for much.

        Raises:
            DatabaseError: the store cannot be read.
        """
        return bool(self._admission) or self._store.state().profile == PUBLIC

    def find_cells(self, keys: Iterable[CellKey]) -> Mapping[CellKey, StoredCell]:
        """Those of these cells that there are; none that were counted for a private server while this one becomes public.

        Raises:
            DatabaseError: the store cannot be read.
        """
        if self._admission and self._store.state().profile != PUBLIC:
            return {}
        return self._store.find_cells(keys)

    def totals(self, since: date, until: date) -> dict[TotalKey, Totals]:
        """What came to pass on some days, both included, by the events' timestamps in UTC.

        Raises:
            DatabaseError: the store cannot be read.
        """
        return self._store.find_totals(number_of(since), number_of(until))

    def sum_totals(self, since: date, until: date, by: Sequence[str] = (), only: Mapping[str, str] | None = None) -> dict[tuple[int | str, ...], Totals]:
        """What came to pass on some days, both included, added up by fields of `TotalKey`, of events with the values in `only`.

        Raises:
            DatabaseError: the store cannot be read.
            ValueError: there is no such field.
        """
        return self._store.sum_totals((number_of(since), number_of(until)), by, only)

    def intake(self, since: date, until: date) -> dict[IntakeKey, int]:
        """How many events came in on some days of receipt (UTC), both included, and what became of them; those of the last second may be missing.

        Raises:
            DatabaseError: the store cannot be read.
        """
        if (written := self._receiver.intake.flush()) is not None:
            written.result()
        return self._store.intake(number_of(since), number_of(until))

    def roll_up(self, progress: Callable[[int, int], object] = lambda _done, _all: None) -> None:
        """Let predictions count every event that is durable now; without it they do so within a second.

        Args:
            progress: called after each portion with how far it is in the order of events, and how far it will go.

        Raises:
            DatabaseError: the database failed.
        """
        self._keeper.catch_up(progress)

    @property
    def accounts(self) -> Accounts:
        """Instances, keys and the audit log."""
        return self._accounts

    def authenticate(self, api_key: str) -> Instance | None:
        """Whose key this is, if it works at this moment."""
        found = self._accounts.find(api_key)
        return found.instance if found else None

    def create_instance(self, name: str = "") -> Credentials:
        """Add an instance with a key."""
        return self._accounts.create_instance(name).credentials

    def local_instance(self) -> Instance:
        """The instance under which commands report that work on the database themselves; made where there is none. It has no key."""
        return self._accounts.local_instance()

    def erase(self, instance: Instance, progress: Callable[[int, int], object] = lambda _done, _all: None) -> int:
        """Delete all events of an instance, and take its share out of every prediction; returns how many events there were.

        What is stored when this is called is gone when it returns. Killed midway, it is to be called again.

        Args:
            instance: whose events.
            progress: as that of `roll_up`.

        Raises:
            DatabaseError: the database failed.
        """
        return self._keeper.erase(instance.number, progress)

    def verify(self) -> list[str]:
        """What of the cells is not what the events come to, a line each. Reads every event.

        Raises:
            DatabaseError: the database failed.
        """
        return differences(self._store)

    def check(self) -> None:
        """Raise `DatabaseError` if the store cannot answer."""
        self._store.check()

    def observe(self, observer: Observer) -> None:
        """Tell this one, from now on, what is done."""
        self._receiver.observe(observer)
        self._store.observe(observer.commit)

    @property
    def limiter(self) -> Limiter:
        """Rate limits that all processes on the store share; made when it is first asked for."""
        if self._limiter is None:
            self._limiter = Limiter(self._store, self._now)
        return self._limiter

    def sizes(self) -> dict[str, int]:
        """How much there is: events that the cells do not hold yet (`backlog`), and rows by table.

        Raises:
            DatabaseError: the store cannot be read.
        """
        return {"backlog": self._keeper.backlog(), **self._store.sizes()}

    def close(self) -> None:
        """Finish what was handed over, then close the store."""
        if self._limiter:
            self._limiter.close()
        if self._background:
            self._background.stop()
        self._receiver.intake.close()
        self._store.close()

    def _now_ms(self) -> int:
        return int(self._now() * 1000)


def _nobody() -> None:
    """Wakes nobody: another process keeps the cells."""


@contextmanager
def open_engine(  # noqa: PLR0913 - all but the database have a default and a name
    database: Path | str,
    *,
    make_directory: bool = False,
    now: Callable[[], float] = time.time,
    keep: bool = True,
    retention: Retention | None = None,
    admission: Admission | Literal[False] | None = None,
) -> Iterator[Engine]:
    """An engine on a database, whose tables are made, or brought up to date, where needed.

    Args:
        database: a SQLite file, made where there is none; or the URL of a PostgreSQL database, `postgresql://…`.
        make_directory: whether to make the directory of the file where it is missing, for this user alone.
        now: the time, in seconds since 1970.
        keep: whether to keep the cells in a thread of this process; without it another process has to.
        retention: how long events count and are kept.
        admission: what counts on a public server; False makes it a private one, and None leaves it as the store has it.

    Raises:
        DatabaseError: the database cannot be opened; the text says why and what to do.
    """
    engine = Engine(open_store(database, make_directory=make_directory), now, retention, keep=keep, admission=admission)
    try:
        yield engine
    finally:
        engine.close()
