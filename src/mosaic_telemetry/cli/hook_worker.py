"""`mosaic-telemetry hook claude-code`, the part that works behind the agent's back: from a session's new records to events.

It reads one job on standard input: the hook's event, and the path of the session. Events go to the configured server, through the
spool, or into the database on this machine. One worker at a time looks at a session; what it has dealt with is kept in a small
file, written after the events are safe, so that a worker that is killed costs nothing but the work.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mosaic_telemetry.cli.hook_start import log, state_directory
from mosaic_telemetry.cli.places import database_path
from mosaic_telemetry.cli.projects import Projects, projects_file
from mosaic_telemetry.client import TelemetryClient, TelemetryConfig
from mosaic_telemetry.collectors.events import Converted, to_event
from mosaic_telemetry.collectors.hook import Finding, Mark, read_session
from mosaic_telemetry.collectors.values import Task
from mosaic_telemetry.schema import TaskCompletionEvent, ValidationError

if TYPE_CHECKING:
    from mosaic_telemetry.cli.common import Database

try:
    import fcntl
except ImportError:  # Windows has no flock: two workers may then report a task twice, which counts once
    fcntl = None  # type: ignore[assignment]  # absent, as its users check

__all__ = ["main"]

_SETTLE_S = 5.0
_LOOK_S = 0.1
_SEND_S = 30.0
_KEPT_S = 90 * 86_400.0
_SETTINGS = ("SERVER_URL", "API_KEY", "INSTANCE_ID")
_ALIASES = ("TELEMETRY_API_URL", "TELEMETRY_API_KEY", "TELEMETRY_INSTANCE_ID")


def main() -> None:
    """Do the job on standard input; whatever goes wrong is a line in the log."""
    with suppress(OSError, AttributeError):  # AttributeError: Windows has no nice
        os.nice(10)  # the agent's own work goes first
    try:
        job = json.loads(sys.stdin.buffer.read())
        work(Path(job["transcript"]), job["event"])
    except Exception as error:  # noqa: BLE001 - nobody is there to see a traceback
        said = getattr(error, "message", None) or str(error) or type(error).__name__
        log(said if isinstance(said, str) else type(error).__name__)


def work(transcript: Path, event: str) -> None:
    """Report what has been finished in a session.

    Args:
        transcript: the session's file.
        event: the hook's event; at Stop the last task is waited for, since its last record may still be on its way.

    Raises:
        OSError: the session cannot be read.
        ValidationError: the configuration does not fit.
    """
    if not TelemetryConfig.from_env(server_url="http://localhost", api_key="-", instance_id="-").enabled:
        return
    server = any(os.environ.get(name) for name in (*(f"MOSAIC_TELEMETRY_{name}" for name in _SETTINGS), *_ALIASES))
    target = _Server() if server else _Local()
    folder = Path(state_directory())
    with _kept(folder, f"{target.name}\n{transcript}") as place:
        finding = _settled(transcript, Mark.decode(place.read_text("utf-8", "replace")), wait=event == "Stop")
        events = _estimated(list(_events(finding.tasks, target.instance_id)))
        if not events or target.deliver([converted.event for _, converted in events]):
            from mosaic_telemetry.cli.common import place_of

            Projects(projects_file(place_of(_database()))).keep(events)
            place.write_text(finding.mark.encode(), "utf-8")


def _settled(transcript: Path, mark: Mark, *, wait: bool) -> Finding:
    """What is new, with the last task finished unless that takes too long."""
    end = time.monotonic() + _SETTLE_S
    while True:
        size = transcript.stat().st_size
        finding = read_session(transcript, mark, now_ms=time.time_ns() // 1_000_000)
        if finding.settled or not wait:
            return finding
        while transcript.stat().st_size == size:
            if time.monotonic() > end:
                return finding
            time.sleep(_LOOK_S)


def _events(tasks: Sequence[Task], instance_id: str) -> Iterator[tuple[Task, Converted]]:
    """As `collect` makes them: without tasks whose token counts are known to be wrong; one that does not fit keeps no other back."""
    for task in tasks:
        if task.unreliable:
            continue
        try:
            yield task, to_event(task, instance_id)
        except ValidationError as error:
            if any(problem.field == "instance_id" for problem in error.errors):
                raise
            log(f"no event can be made of a task: {error}")


def _estimated(tasks: Sequence[tuple[Task, Converted]]) -> list[tuple[Task, Converted]]:
    """As `collect` does, with what the local database predicted before."""
    from mosaic_telemetry.cli.estimating import estimated

    return estimated(tasks, _database())


def _database() -> Database:
    """The local database."""
    from mosaic_telemetry.cli.common import to_database

    return to_database(os.environ.get("MOSAIC_TELEMETRY_DATABASE") or database_path())


class _Server:
    """The configured server, through the spool."""

    def __init__(self) -> None:
        self._problems: list[str] = []
        self._config = TelemetryConfig.from_env(on_error=lambda error: self._problems.append(str(error)))
        self.name = self._config.server_url
        self.instance_id = self._config.instance_id

    def deliver(self, events: Sequence[TaskCompletionEvent]) -> bool:
        """Whether the events are there, or safe in the spool."""
        client = TelemetryClient(self._config)
        for event in events:
            client.track(event)
        spooled = client.config.spool_dir is not None and not self._problems
        delivered = client.stop(_SEND_S)
        for problem in dict.fromkeys(self._problems):
            if "duplicate" not in problem:
                log(f"{self.name}: {problem}")
        return delivered or spooled


class _Local:
    """The database on this machine."""

    def __init__(self) -> None:
        from mosaic_telemetry.cli.local import LocalSink

        self._sink = LocalSink(_database())
        self.name = self._sink.name
        self.instance_id = self._sink.instance_id

    def deliver(self, events: Sequence[TaskCompletionEvent]) -> bool:
        """Whether the events are there; those that were refused never will be."""
        for reason, count in self._sink.deliver(events).rejected.items():
            log(f"{count} refused: {reason}")
        return True


@contextmanager
def _kept(folder: Path, name: str) -> Iterator[Path]:
    """The file that keeps what was read of a session, held by this process alone."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _forget_old(folder)
    place = folder / f"{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:24]}.json"
    descriptor = os.open(place, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield place
    finally:
        os.close(descriptor)


def _forget_old(folder: Path) -> None:
    """Delete what was kept of sessions that nobody has gone on with for months; one that is gone on with is only read in full."""
    for place in folder.glob("*.json"):
        try:
            if place.stat().st_mtime < time.time() - _KEPT_S:
                place.unlink()
        except OSError:
            continue


if __name__ == "__main__":
    main()
