"""A queue that outlives its process: each event is written to a file before `enqueue` returns.

The events wait in memory as well, so that sending never reads the file; the file is for the next process, which takes up what
a dead one left. Laws: what `enqueue` took is in the file or, while there is no file to be had, in memory; the bounds (events,
bytes, age) hold over all that waits, and what they cost is counted; a forked child leaves what waits to its parent.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from mosaic_telemetry.client.leftovers import MAX_AGE, TOO_OLD, Entry, take_up
from mosaic_telemetry.client.queue import QueuedEvent, encode_queued
from mosaic_telemetry.client.segment import Segment, SpoolDirectory, SpoolError, spool_name
from mosaic_telemetry.schema import TaskCompletionEvent

__all__ = ["SpoolQueue"]

MAX_BYTES = 10 * 1024 * 1024
"""Bytes of events that wait at most."""
_SEGMENT_BYTES = 1024 * 1024
_SEGMENT_AGE = 3600.0
_RECHECK = 1.0
_RETRY = 30.0
_MOST_FILES = 32
"""Files of processes that are gone that are taken up at once: each takes one of the host's descriptors."""
_FULL = f"the spool is full ({MAX_BYTES >> 20} MB)"


class SpoolQueue:
    """A bounded queue with files behind it. See `Buffer`; safe to use from any thread.

    Args:
        max_size: events that wait at most.
        root: the directory of all spools.
        server_url: the server that the events are for.
        instance_id: the instance that reports them.
        report: told once when the events cannot be kept on disk.
        give_up: told of events that are lost to age, or to a torn line: how many, and why.
    """

    def __init__(
        self,
        max_size: int,
        where: tuple[str, str, str],
        report: Callable[[Exception], None],
        give_up: Callable[[int, str], None],
    ) -> None:
        self._max_size = max_size
        self._no_room = self.bound = f"the queue is full ({max_size} events)"
        self._where = where
        self._report = report
        self._give_up = give_up
        self._forget()

    def _forget(self) -> None:
        """Begin with nothing: at first, and in a forked child, whose parent keeps what waits."""
        self._pid = os.getpid()
        self._lock = threading.RLock()  # a signal handler may report an event while its thread does
        self._entries: deque[Entry] = deque()
        self._bytes = 0
        self._loose = False  # whether some of them may be in no file
        self._taken: dict[int, Entry] = {}  # drained and not settled, by identity, oldest first
        self._directory: SpoolDirectory | None = None
        self._segment: Segment | None = None
        self._held: set[Segment] = set()
        self._done: deque[tuple[Segment, int | None]] = deque()  # settled up to an offset, or (None) as a whole
        self._check_at = 0.0
        self._failing = False
        self._problem: SpoolError | None = None

    def after_fork(self) -> None:
        """In a forked child: let go of the parent's files without touching them."""
        held, directory = self._held, self._directory
        self._forget()
        for segment in held:
            segment.close()
        del directory  # closed with the last segment that names it

    # --- in ----------------------------------------------------------------------------------------------------------

    def enqueue(self, event: TaskCompletionEvent) -> int:
        """Write an event and add it at the end; returns how many of the oldest were given up for it.

        Raises:
            ValueError, TypeError: the event has no JSON form.
        """
        data = encode_queued(event)
        with self._lock:
            if self._max_size == 0:
                return 1
            self._append(data)
            lost = 0 if len(self._entries) <= self._max_size and self._bytes <= MAX_BYTES else self._shed()
        if self._problem is not None:
            self._tell()
        if self._done:
            self._tidy()
        return lost

    def _append(self, data: bytes) -> None:
        segment = self._segment
        if time.monotonic() >= self._check_at or (not self._failing and (segment is None or segment.size >= _SEGMENT_BYTES)):
            segment = self._ready()
        start = 0
        if segment is not None:
            start = segment.size
            try:
                segment.append(data + b"\n")
                segment.pending += 1
                self._failing = False
            except OSError as error:
                self._fail(error)
                segment = None
        if segment is None:
            self._loose = True
        self._entries.append((data, segment, start))
        self._bytes += len(data)

    def _ready(self) -> Segment | None:
        """The file to write to: a new one where there is none or it is full, old, or gone; None where there is none to be had."""
        self._check_at = time.monotonic() + _RECHECK
        segment = self._segment
        try:
            if segment is not None and not segment.is_linked():
                self._lose_files()
                segment = None
            if segment is not None and (segment.size >= _SEGMENT_BYTES or time.time() - segment.created > _SEGMENT_AGE):
                self._segment = None
                self._note(segment)
                segment = None
            if segment is None:
                segment = self._open()
        except (OSError, SpoolError) as error:
            self._fail(error)
            return None
        return segment

    def _open(self) -> Segment:
        """A new file, with what waits in memory alone written to it first."""
        segment = self._create()
        self._held.add(segment)
        self._segment = segment
        if self._loose:
            for index, (data, where, _) in enumerate(self._entries):
                if where is None:
                    start = segment.size
                    segment.append(data + b"\n")
                    segment.pending += 1
                    self._entries[index] = (data, segment, start)  # only now: where writing failed, it is in no file
            self._loose = False
        return segment

    def _create(self) -> Segment:
        """A new file in the directory, which is made anew where it is gone; raises OSError or SpoolError."""
        if self._directory is not None and not self._directory.is_linked():
            self._lose_files()
        if self._directory is None:
            self._directory = SpoolDirectory(*self._where)
        try:
            return self._directory.create()
        except FileNotFoundError:  # another process has removed the directory, used up, in this very moment
            self._lose_files()
            self._directory = SpoolDirectory(*self._where)
            return self._directory.create()

    def _fail(self, error: Exception) -> None:
        """No file to be had: keep events in memory, say so once, and try again later."""
        self._check_at = time.monotonic() + _RETRY
        segment, self._segment = self._segment, None
        if segment is not None:
            self._note(segment)
        if not self._failing:
            self._failing = True
            why = error if isinstance(error, SpoolError) else f"cannot spool to {self._where[0]}: {getattr(error, 'strerror', None) or error}"
            self._problem = SpoolError(f"{why}; events are kept in memory meanwhile")

    def _tell(self) -> None:
        """Report a problem; never under the lock, since a handler may well report an event."""
        problem, self._problem = self._problem, None
        if problem is not None:
            self._report(problem)

    def _lose_files(self) -> None:
        """The files were deleted under us: what waits is in memory alone now."""
        self._entries = deque((data, None, 0) for data, _, _ in self._entries)
        self._taken = {key: (data, None, 0) for key, (data, _, _) in self._taken.items()}
        self._loose = True
        # Not closed by hand: the sender may be writing a checkpoint to one of them. They close when nobody names them.
        self._held.clear()
        self._segment = None
        self._directory = None

    def _shed(self) -> int:
        """Give up the oldest until the bounds hold; returns how many."""
        count = 0
        touched = set()
        while len(self._entries) > self._max_size or self._bytes > MAX_BYTES:
            self.bound = _FULL if len(self._entries) <= self._max_size else self._no_room
            data, segment, _ = self._entries.popleft()
            self._bytes -= len(data)
            count += 1
            if segment is not None:
                segment.pending -= 1
                if not segment.pending:  # only then: a full queue sheds with every event, and must stay cheap
                    touched.add(segment)
        for segment in touched:
            self._note(segment)
        return count

    # --- out ---------------------------------------------------------------------------------------------------------

    def drain(self, count: int) -> list[QueuedEvent]:
        """Take up to `count` events from the front."""
        with self._lock:
            aged = self._drop_aged()
            taken: list[QueuedEvent] = []
            for _ in range(min(count, len(self._entries))):
                entry = self._entries.popleft()
                data = entry[0]
                self._bytes -= len(data)
                self._taken[id(data)] = entry
                taken.append(data)
        if aged:
            self._tidy()
            self._give_up(aged, TOO_OLD)
        return taken

    def _drop_aged(self) -> int:
        """Give up what has waited too long, by the time when its file was begun; returns how many."""
        count = 0
        limit = time.time() - MAX_AGE
        while self._entries and (segment := self._entries[0][1]) is not None and segment.created < limit:
            data, _, _ = self._entries.popleft()
            self._bytes -= len(data)
            count += 1
            self._release([(data, segment, 0)])
        return count

    def prepend(self, events: Sequence[QueuedEvent]) -> int:
        """Put drained events back to the front; returns how many of the last had no room."""
        with self._lock:
            entries = [entry for event in events if (entry := self._taken.pop(id(event), None)) is not None]
            room = max(self._max_size - len(self._entries), 0)
            kept = self._written_down(entries[:room])
            self._entries.extendleft(reversed(kept))
            self._bytes += sum(len(data) for data, _, _ in kept)
            self._loose |= any(segment is None for _, segment, _ in kept)
            self._release(entries[room:])
        self._tidy()
        return max(len(entries) - room, 0)

    def _written_down(self, entries: list[Entry]) -> list[Entry]:
        """The entries, with those that are in no file written to one of their own, where there is one to be had."""
        if self._failing or self._directory is None or all(entry[1] is not None for entry in entries):
            return entries
        try:
            segment = self._directory.create()
        except OSError as error:
            self._fail(error)
            return entries
        self._held.add(segment)
        written = []
        for data, where, start in entries:
            entry: Entry = (data, where, start)
            if where is None:
                try:
                    entry = (data, segment, segment.size)
                    segment.append(data + b"\n")
                    segment.pending += 1
                except OSError:
                    entry = (data, None, 0)
            written.append(entry)
        self._note(segment)
        return written

    def settle(self, events: Sequence[QueuedEvent]) -> None:
        """Forget drained events, on disk as well."""
        with self._lock:
            self._release([entry for event in events if (entry := self._taken.pop(id(event), None)) is not None])
        self._tidy()

    def _release(self, entries: Sequence[Entry]) -> None:
        touched = set()
        for _, segment, _ in entries:
            if segment is not None:
                segment.pending -= 1
                touched.add(segment)
        for segment in touched:
            self._note(segment)

    def _note(self, segment: Segment) -> None:
        """Note, under the lock, what of a file is settled; `_tidy` does the work on disk without it."""
        if segment not in self._held:
            return  # deleted under us
        if not segment.pending and segment is not self._segment:
            self._held.discard(segment)
            self._done.append((segment, None))
        elif not segment.pending:
            self._done.append((segment, segment.size))
        else:
            oldest = next(iter(self._taken.values()), None) or (self._entries[0] if self._entries else None)
            if oldest is not None and oldest[1] is segment and oldest[2]:
                self._done.append((segment, oldest[2]))

    def _tidy(self) -> None:
        """Remember on disk what is settled; an error costs no more than sending some events twice after a crash."""
        while self._done:
            try:
                segment, offset = self._done.popleft()
                if offset is None:
                    segment.remove()
                else:
                    segment.settle_to(offset)
            except (OSError, IndexError):  # IndexError: another thread was faster
                continue

    @property
    def size(self) -> int:
        """Events that wait now."""
        return len(self._entries)

    # --- what others left --------------------------------------------------------------------------------------------

    def recover(self) -> int:
        """Take up, before all that waits here, what processes left that are gone; returns how many events."""
        if self._max_size == 0:
            return 0
        with self._lock:
            try:
                if self._directory is not None and not self._directory.is_linked():
                    self._lose_files()
                if self._directory is None and os.path.isdir(os.path.join(self._where[0], spool_name(*self._where[1:]))):
                    self._directory = SpoolDirectory(*self._where)
            except SpoolError as error:
                self._fail(error)
            directory = self._directory
        self._tell()
        if directory is None:
            return 0
        found: list[Entry] = []
        for segment, entries in take_up(directory, _MOST_FILES - len(self._held), self._give_up):
            with self._lock:
                self._held.add(segment)
            found += entries
        with self._lock:
            self._entries.extendleft(reversed(found))
            self._bytes += sum(len(entry[0]) for entry in found)
            lost = self._shed()
        self._tidy()
        if lost:
            self._give_up(lost, f"{self.bound}; older events go")
        return len(found)

    def close(self) -> None:
        """Leave no empty file or directory behind; what waits stays, in memory and on disk."""
        with self._lock:
            segment = self._segment
            if segment is not None and not segment.pending:
                self._segment = None
                self._note(segment)
        self._tidy()
        with self._lock:
            if self._directory is not None and not self._held:
                self._directory.discard()
