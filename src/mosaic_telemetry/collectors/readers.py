"""Reading units in this process, or in several where there is much to read."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

from mosaic_telemetry.collectors.base import Collector, Unit
from mosaic_telemetry.collectors.reading import Counting, Watcher
from mosaic_telemetry.collectors.values import Skipped

__all__ = ["ReadingWatcher", "UnitReader", "size_of"]

_WORTH_BYTES = 48 * 1024 * 1024  # below, a second process takes longer to start than it saves
_CHUNK_BYTES = 4 * 1024 * 1024
_AHEAD = 3  # chunks in work for each process, so that results do not pile up


class ReadingWatcher(Watcher, Protocol):
    """A watcher that is also told how much there will be."""

    def expect(self, size: int) -> None:
        """`size` more bytes are going to be read."""


class UnitReader:
    """Reads units.

    Args:
        watcher: is told how reading goes.
        processes: how many may read side by side; by default as many as this process has cores.

    Attributes:
        skipped: lines and files that could not be used so far.
    """

    def __init__(self, watcher: ReadingWatcher, processes: int | None = None) -> None:
        self.skipped = 0
        self._watcher = watcher
        self._processes = processes if processes is not None else len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def read(self, collector: Collector, units: Sequence[Unit]) -> Iterator[tuple[Unit, Sequence[Any]]]:
        """Each unit with its parts, in any order."""
        sizes = [sum(map(size_of, unit)) for unit in units]
        self._watcher.expect(sum(sizes))
        if self._processes > 1 and len(units) > 1 and sum(sizes) >= _WORTH_BYTES:
            yield from self._side_by_side(collector, units, sizes)
            return
        for unit in units:
            counting = Counting(self._watcher)
            parts = collector.read(unit, counting)
            self.skipped += counting.skipped
            yield unit, parts

    def _side_by_side(self, collector: Collector, units: Sequence[Unit], sizes: Sequence[int]) -> Iterator[tuple[Unit, Sequence[Any]]]:
        largest_first = sorted(zip(units, sizes, strict=True), key=lambda item: (-item[1], item[0]))
        chunks = iter(_chunks(largest_first))
        running: list[tuple[list[Unit], Future[_Read]]] = []
        # A fresh interpreter each: a fork would take along the threads that draw progress.
        with ProcessPoolExecutor(self._processes, mp_context=get_context("spawn"), initializer=_begin_worker) as pool:
            try:
                while True:
                    while len(running) < self._processes * _AHEAD and (chunk := next(chunks, None)) is not None:
                        running.append((chunk, pool.submit(_read_chunk, collector.name, chunk)))
                    if not running:
                        return
                    chunk, future = running.pop(0)
                    parts, skipped, size = future.result()
                    self._watcher.advance(size)
                    for one in skipped:
                        self._watcher.skip(one)
                    self.skipped += len(skipped)
                    yield from zip(chunk, parts, strict=True)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


_Read = tuple[list[Sequence[Any]], list[Skipped], int]


class _Noting:
    """A watcher that keeps what it is told for another process."""

    def __init__(self) -> None:
        self.size = 0
        self.skipped: list[Skipped] = []

    def advance(self, size: int) -> None:
        self.size += size

    def skip(self, skipped: Skipped) -> None:
        self.skipped.append(skipped)


def _begin_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that the person started
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)  # records are freed by their counts; looking for cycles among them finds none


def _read_chunk(name: str, units: Sequence[Unit]) -> _Read:
    from mosaic_telemetry.collectors import COLLECTORS

    collector = next(one for one in COLLECTORS if one.name == name)
    noting = _Noting()
    parts = [collector.read(unit, Counting(noting)) for unit in units]
    return parts, noting.skipped, noting.size


def _chunks(units: Iterable[tuple[Unit, int]]) -> Iterator[list[Unit]]:
    chunk: list[Unit] = []
    weight = 0
    for unit, size in units:
        chunk.append(unit)
        weight += size
        if weight >= _CHUNK_BYTES:
            yield chunk
            chunk, weight = [], 0
    if chunk:
        yield chunk


def size_of(path: Path) -> int:
    """Bytes of a file on disk; 0 where it cannot be told."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
