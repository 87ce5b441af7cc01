"""The database on this machine as a place for events, with the engine in this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mosaic_telemetry.cli.common import Database
from mosaic_telemetry.cli.database import open_database
from mosaic_telemetry.collectors import Delivery
from mosaic_telemetry.engine import name_of
from mosaic_telemetry.schema import ACCEPTED, TaskCompletionEvent

__all__ = ["LocalSink"]


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

    def deliver(self, events: Sequence[TaskCompletionEvent]) -> Delivery:
        """Store the events; they are durable, and counted in predictions, when this returns."""
        with open_database(self._database) as engine:
            answer = engine.ingest(engine.local_instance(), events)
            engine.roll_up()
        reasons = Counter(result.error or "no reason given" for result in answer.results if result.status != ACCEPTED)
        known = sum(count for reason, count in reasons.items() if reason.startswith("duplicate"))
        rejected = {reason: count for reason, count in reasons.items() if not reason.startswith("duplicate")}
        return Delivery(accepted=answer.accepted, known=known, rejected=rejected)
