"""A ClickHouse store that says before each step what it is about to ask of either database, so that tests can do something just then.

As a program it does a piece of work on a store in a process of its own, and is killed just before a step, or at some moment: it reads
lines `database work instance step seconds` (a step or a moment below 0 is none), does each in a fork, and prints what became of it.
"""

import os
import signal
import sys
import threading
from contextlib import closing

from mosaic_telemetry.engine.keeping import Keeper
from mosaic_telemetry.engine.store.clickhouse.address import Address
from mosaic_telemetry.engine.store.clickhouse.link import Link
from mosaic_telemetry.engine.store.clickhouse.store import ClickhouseStore
from mosaic_telemetry.engine.store.opening import open_store


class SteppingLink(Link):
    """Calls `step` with the name of what is asked of ClickHouse before it is asked."""

    def __init__(self, address, step):
        self.step = step
        super().__init__(address)

    def rows(self, query):
        self.step(f"rows {query.split()[-1] if query.count(' ') < 2 else query.partition('FROM ')[2].split()[0]}")
        return super().rows(query)

    def columns(self, query):
        self.step("columns")
        return super().columns(query)

    def insert(self, table, *words, **options):
        self.step(f"insert {table.name}")
        super().insert(table, *words, **options)

    def delete(self, table, condition):
        self.step(f"delete {table.name}")
        super().delete(table, condition)


class SteppingAccounts:
    """The store of the other database, which calls `step` before it is changed."""

    def __init__(self, store, step):
        self._store = store
        self._step = step

    def __getattr__(self, name):
        return getattr(self._store, name)

    def change_setting(self, name, before, after):
        self._step(f"change {name}")
        return self._store.change_setting(name, before, after)

    def apply(self, change):
        self._step("apply")
        return self._store.apply(change)


def open_stepping(url, step=lambda _: None, sleep=lambda _: None):
    """A store that calls `step` at each step, and waits for nobody unless told how."""
    address = Address.parse(url)
    return ClickhouseStore(address, SteppingAccounts(open_store(address.accounts), step), connect=lambda address: SteppingLink(address, step), sleep=sleep)


def work(url, what, instance, last, seconds):
    """Count what came in, or erase an instance; killed before the step of a number, or after so many seconds."""
    steps = 0

    def step(_):
        nonlocal steps
        if started.is_set():
            if steps == last:
                os.kill(os.getpid(), signal.SIGKILL)
            steps += 1

    started = threading.Event()
    with closing(open_stepping(url, step)) as store:
        keeper = Keeper(store)
        started.set()
        if seconds >= 0:
            signal.setitimer(signal.ITIMER_REAL, seconds + 1e-6)  # whose signal ends a process that does not handle it at once
        if what == "count":
            keeper.catch_up()
        else:
            keeper.erase(instance)
        signal.setitimer(signal.ITIMER_REAL, 0)


def main():
    for line in sys.stdin:
        url, what, instance, last, seconds = line.split(" ")
        if child := os.fork():
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)  # noqa: T201 - for who started this
        else:
            code = 1
            try:
                work(url, what, int(instance), int(last), float(seconds))
                code = 0
            finally:
                os._exit(code)


if __name__ == "__main__":
    main()
