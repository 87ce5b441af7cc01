"""The one thread that writes, with group commit.

Jobs wait in a queue; the thread takes all that wait and runs them in one transaction, so that many small batches share one
`fsync`. A job's future resolves after the COMMIT. When a job fails, the transaction is undone and its jobs run again one by
one, so that only the failing one fails.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeVar

import apsw

from mosaic_telemetry.engine.errors import DatabaseError
from mosaic_telemetry.engine.store.sqlite.connection import in_words
from mosaic_telemetry.engine.store.sqlite.turn import Turn

__all__ = ["Writer"]

T = TypeVar("T")

_GROUP = 200


class _Job(NamedTuple):
    run: Callable[[apsw.Connection], Any]
    done: Future[Any]


class Writer:
    """Runs jobs on its connection, in their order.

    Args:
        connection: used by this thread alone from now on, and closed by it.
        path: for the text of errors.
        settle: called after each transaction with whether it was committed, for what jobs remember between transactions.
        check: called before each transaction and after its commit; what it raises is told to those who wait for results.

    Attributes:
        observe: called after each commit with the number of its jobs and the seconds it took; None for nobody.
    """

    def __init__(self, connection: apsw.Connection, path: Path, settle: Callable[..., None], check: Callable[[], None]) -> None:
        self._connection = connection
        self._path = path
        self._settle = settle
        self._check = check
        self.observe: Callable[[int, float], None] | None = None
        self._turn = Turn(path)
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="mosaic-telemetry-writer", daemon=True)
        self._thread.start()

    def submit(self, run: Callable[[apsw.Connection], T]) -> Future[T]:
        """Run a job inside a transaction; the future resolves when that is committed.

        It raises `DatabaseError` when the database failed, or what the job itself raised.
        """
        job = _Job(run, Future())
        with self._lock:
            if self._closed:
                job.done.set_exception(DatabaseError(f"the database {self._path} is closed"))
            else:
                self._queue.put(job)
        return job.done

    def close(self) -> None:
        """Finish all jobs, then close the connection."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        closing = False
        while not closing:
            jobs, closing = self._take()
            self._commit(jobs)
        self._connection.close()
        self._turn.close()

    def _take(self) -> tuple[list[_Job], bool]:
        """The jobs that wait, after waiting for one; and whether they are the last."""
        jobs: list[_Job] = []
        try:
            while len(jobs) < _GROUP:
                job = self._queue.get(block=not jobs)
                if job is None:
                    return jobs, True
                jobs.append(job)
        except Empty:
            pass
        return jobs, False

    def _commit(self, jobs: list[_Job]) -> None:
        jobs = [job for job in jobs if job.done.set_running_or_notify_cancel()]
        if not jobs:
            return
        try:
            results = self._transaction([job.run for job in jobs])
        except Exception as error:  # noqa: BLE001 - whatever a job raises belongs to its caller
            if len(jobs) > 1:
                for job in jobs:
                    self._commit_alone(job)
            else:
                jobs[0].done.set_exception(error)
            return
        for job, result in zip(jobs, results, strict=True):
            job.done.set_result(result)

    def _commit_alone(self, job: _Job) -> None:
        try:
            (result,) = self._transaction([job.run])
        except Exception as error:  # noqa: BLE001 - whatever a job raises belongs to its caller
            job.done.set_exception(error)
        else:
            job.done.set_result(result)

    def _transaction(self, runs: list[Callable[[apsw.Connection], Any]]) -> list[Any]:
        """Run jobs in one transaction, undone as a whole when one raises."""
        start = time.perf_counter()
        self._check()
        with in_words(self._path), self._turn:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                results = [run(self._connection) for run in runs]
                self._connection.execute("COMMIT")
            except BaseException:
                self._settle(committed=False)
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
        self._settle(committed=True)
        self._check()  # before anybody is told that it is durable
        if self.observe:
            self.observe(len(runs), time.perf_counter() - start)
        return results
