"""Which events a public server counts: none of an instance that is still on trial, and none whose numbers do not fit each other.

What is not counted is kept, with its standing, so that it can be looked into. The bounds are wide on purpose: they are to stop nonsense that
would fit no model on earth, not unusual work; against lies within them stands that no instance counts for much.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from mosaic_telemetry.engine.store import COUNTS, IMPLAUSIBLE, ON_TRIAL, EventFields, Instance, StoredEvent
from mosaic_telemetry.pricing import TokenUsage, price_call
from mosaic_telemetry.schema import Provider

__all__ = ["TRIAL_DAYS", "Admission", "plausible"]

TRIAL_DAYS = 7.0

_DAY_MS = 86_400_000
_FASTEST_OUTPUT = 20_000  # tokens a second: ten of the fastest models of today side by side
_FASTEST_INPUT = 5_000_000  # caches are read in no time
_GRACE_S = 1.0
_DEAREST_MICROS = 1_500  # a token, where no price list knows the model: more than twice the dearest on any list
_DEARER, _CHEAPER = 5.0, 0.005  # than the list says: long contexts, priority and cache writes; cache reads, batches and rebates
_SMALL_MICROS = 20_000  # a cost up to two cents is never too much
_SAMPLE = 1000


@dataclass(frozen=True, slots=True)
class Admission:
    """Who and what counts.

    Attributes:
        trial_days: days after its creation in which an instance's events do not count.
    """

    trial_days: float = TRIAL_DAYS

    def judge(self, instance: Instance, received_ms: int, events: Sequence[StoredEvent]) -> list[StoredEvent]:
        """The events, each with its standing."""
        on_trial = received_ms < instance.created_ms + self.trial_days * _DAY_MS
        return [event._replace(standing=ON_TRIAL if on_trial else COUNTS if plausible(event.fields) else IMPLAUSIBLE) for event in events]


def plausible(event: EventFields) -> bool:
    """Whether an event's tokens fit its time, and its cost its tokens."""
    seconds = event.task_duration_ms / 1000 + _GRACE_S
    if event.actual_output_tokens > _FASTEST_OUTPUT * seconds or event.actual_input_tokens > _FASTEST_INPUT * seconds:
        return False
    cost = event.actual_cost_usd_micros
    if not cost or event.provider == Provider.OLLAMA:
        return True  # not known, or nobody's money
    prices = _list_prices(event.model.strip().lower())
    if prices is None:
        return cost <= _DEAREST_MICROS * (event.actual_input_tokens + event.actual_output_tokens) + _SMALL_MICROS
    listed = prices[0] * event.actual_input_tokens + prices[1] * event.actual_output_tokens
    return listed * _CHEAPER - 1 <= cost <= listed * _DEARER + _SMALL_MICROS


@lru_cache(maxsize=4096)
def _list_prices(model: str) -> tuple[float, float] | None:
    """Micro-dollars for a token of input and of output; None where no list has them, or none is installed."""
    try:
        read, written = (price_call(model, usage).usd for usage in (TokenUsage(uncached_input=_SAMPLE), TokenUsage(output=_SAMPLE)))
    except ModuleNotFoundError:
        return None
    if read is None or written is None or not (read or written):
        return None
    return float(read) * 1e6 / _SAMPLE, float(written) * 1e6 / _SAMPLE
