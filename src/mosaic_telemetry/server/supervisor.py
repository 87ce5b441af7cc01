"""One process that does nothing but watch others: starts them, starts those anew that die, and stops all of them together.

The children are forks, so that they share the memory of what was imported before. None outlives its parent: each holds the
reading end of a pipe whose writing end the parent alone has, and stops when that end is gone, however the parent died.
"""

from __future__ import annotations

import gc
import logging
import os
import select
import signal
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FrameType

from mosaic_telemetry.engine import EngineError

__all__ = ["Role", "Supervisor"]

_log = logging.getLogger(__name__)

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 10.0
_SOUND = 30.0
"""Seconds after which a process that dies has not died at its start."""
_PATIENCE = 30.0
"""Seconds that each process has to stop by itself."""


@dataclass(frozen=True, slots=True)
class Role:
    """What a process does.

    Attributes:
        name: for the log.
        run: does it until SIGTERM or SIGINT; calls its argument as soon as it is ready.
        last: whether it is stopped only when all that are not last have stopped.
    """

    name: str
    run: Callable[[Callable[[], None]], None]
    last: bool = False


@dataclass(slots=True)
class _Child:
    role: Role
    pid: int = 0  # 0: it does not run
    started: float = 0.0
    pause: float = 0.0
    due: float = 0.0
    ready: bool = False
    code: int = 0


@dataclass(slots=True)
class _Pipe:
    """A pipe; the ends of the parent's pipes are closed in each child."""

    reader: int = field(init=False)
    writer: int = field(init=False)

    def __post_init__(self) -> None:
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        os.set_blocking(self.writer, False)

    def drain(self) -> bytes:
        try:
            return os.read(self.reader, 4096)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        os.close(self.reader)
        os.close(self.writer)


class Supervisor:
    """Runs roles, each in a process of its own, until SIGTERM or SIGINT.

    Args:
        roles: what is to be done.
        ready: called once, when all of them are ready for the first time.
    """

    def __init__(self, roles: Sequence[Role], ready: Callable[[], None]) -> None:
        self._children = [_Child(role) for role in roles]
        self._ready: Callable[[], None] | None = ready
        self._stopping = False
        self._wakeup = _Pipe()  # of signals
        self._reports = _Pipe()  # of children that are ready
        self._life = _Pipe()  # closed when this process ends

    def run(self) -> int:
        """Supervise; returns the exit code: 1 where a process failed before all were ready, or had to be killed, else 0."""
        handlers = {number: signal.signal(number, self._on_signal) for number in (*_SIGNALS, signal.SIGCHLD)}
        before = signal.set_wakeup_fd(self._wakeup.writer, warn_on_full_buffer=False)
        gc.collect()
        gc.freeze()  # so that no collection in a child touches, and thereby copies, the memory that it shares
        try:
            while not self._stopping:
                self._start_those_due()
                self._wait(self._next_due())
                self._hear()
                self._reap()
            return self._stop()
        finally:
            signal.set_wakeup_fd(before)
            for number, handler in handlers.items():
                signal.signal(number, handler)
            for pipe in (self._wakeup, self._reports, self._life):
                pipe.close()

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            self._stopping = True

    def _wait(self, timeout: float | None) -> None:
        select.select([self._wakeup.reader, self._reports.reader], [], [], timeout)
        self._wakeup.drain()

    def _next_due(self) -> float | None:
        waits = [child.due for child in self._children if not child.pid]
        return max(0.0, min(waits) - time.monotonic()) if waits else None

    def _start_those_due(self) -> None:
        for child in self._children:
            if not child.pid and child.due <= time.monotonic():
                self._start(child)

    def _start(self, child: _Child) -> None:
        child.started = time.monotonic()
        child.ready = False
        held = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # until the child does not take them as its parent does
        child.pid = os.fork()
        if not child.pid:
            self._be(child.role)
        signal.pthread_sigmask(signal.SIG_SETMASK, held)

    def _be(self, role: Role) -> None:
        """In the new process: do what is its to do, and end."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (*_SIGNALS, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            os.close(self._life.writer)
            os.set_blocking(self._life.reader, True)
            threading.Thread(target=self._stop_with_parent, name="mosaic-telemetry-parent", daemon=True).start()
            role.run(lambda: self._report(role))
            code = 0
        except EngineError as error:
            _log.error("%s stopped: %s", role.name, error)
        except BaseException:  # noqa: BLE001 - a fork must never return into its parent's code
            traceback.print_exc()
        finally:
            logging.shutdown()
            os._exit(code)

    def _stop_with_parent(self) -> None:
        while os.read(self._life.reader, 1):
            continue
        os.kill(os.getpid(), signal.SIGTERM)

    def _report(self, role: Role) -> None:
        place = next(place for place, child in enumerate(self._children) if child.role is role)
        os.write(self._reports.writer, bytes([place]))

    def _hear(self) -> None:
        for place in self._reports.drain():
            self._children[place].ready = True
        if self._ready and all(child.ready for child in self._children):
            self._ready()
            self._ready = None

    def _reap(self) -> None:
        for child in self._children:
            if not self._has_ended(child) or self._stopping:
                continue
            if self._ready:  # it never worked: whoever started this wants to know
                self._stopping = True
                continue
            age = time.monotonic() - child.started
            child.pause = _FIRST_PAUSE if age > _SOUND or not child.pause else min(2 * child.pause, _LONGEST_PAUSE)
            child.due = time.monotonic() + child.pause
            _log.warning("%s ended (%s); it is started anew in %.1f s", child.role.name, _how(child.code), child.pause)

    def _has_ended(self, child: _Child) -> bool:
        """Whether it ran, and does no longer."""
        if not child.pid:
            return False
        pid, status = os.waitpid(child.pid, os.WNOHANG)
        if not pid:
            return False
        child.pid = 0
        child.code = os.waitstatus_to_exitcode(status)
        return True

    def _stop(self) -> int:
        failed = self._ready is not None and any(child.code for child in self._children)
        for last in (False, True):
            failed |= self._end([child for child in self._children if child.role.last == last])
        return int(failed)

    def _end(self, children: Sequence[_Child]) -> bool:
        """Let them finish; whether any did not in time and was killed."""
        for child in children:
            if child.pid:
                os.kill(child.pid, signal.SIGTERM)
        end = time.monotonic() + _PATIENCE
        while (left := [child for child in children if child.pid and not self._has_ended(child)]) and time.monotonic() < end:
            self._wait(end - time.monotonic())
        for child in left:
            _log.error("%s did not stop within %.0f s, and was killed", child.role.name, _PATIENCE)
            os.kill(child.pid, signal.SIGKILL)
            os.waitpid(child.pid, 0)
        return bool(left)


def _how(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
