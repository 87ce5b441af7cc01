"""The database on this machine as a place for events, with the engine in this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mosaic_telemetry.cli.common import Database
from mosaic_telemetry.cli.database import open_database
from mosaic_telemetry.cli.progress import counted
from mosaic_telemetry.collectors import Delivery
from mosaic_telemetry.collectors.sinks import Progress
from mosaic_telemetry.engine import name_of
from mosaic_telemetry.schema import ACCEPTED, TaskCompletionEvent

__all__ = ["LocalSink"]

_PORTION = 1000  # events that are stored at a time


class LocalSink:
    """A database, made where it is a file that is not there.

    Args:
        database: a file, or a URL.

    Raises:
        click.ClickException: it cannot be opened.
    """

    def __init__(self, database: Database) -> None:
        self.name = name_of(database)
        self._database = database
        with open_database(database) as engine:
            self.instance_id = str(engine.local_instance().instance_id)

    def deliver(self, events: Sequence[TaskCompletionEvent], progress: Progress = lambda _done, _all: None) -> Delivery:
        """Store the events; they are durable, and counted in predictions, when this returns."""
        accepted = 0
        reasons: Counter[str] = Counter()
        with open_database(self._database) as engine:
            instance = engine.local_instance()
            for first in range(0, len(events), _PORTION):
                answer = engine.ingest(instance, events[first : first + _PORTION])
                accepted += answer.accepted
                reasons.update(result.error or "no reason given" for result in answer.results if result.status != ACCEPTED)
                progress(min(first + _PORTION, len(events)), len(events))
            counted(engine)
        known = sum(count for reason, count in reasons.items() if reason.startswith("duplicate"))
        rejected = {reason: count for reason, count in reasons.items() if not reason.startswith("duplicate")}
        return Delivery(accepted=accepted, known=known, rejected=rejected)
