"""How a task ended, by what was observed; what the agent says of itself does not count."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

from mosaic_telemetry.schema import Outcome, QualityGate

__all__ = ["Ending", "outcome_of"]


class Ending(Enum):
    """The last thing that happened in a task."""

    WORD = auto()  # the agent said its last word
    STOPPED = auto()  # the person stopped it, or went on before it was done
    ERROR = auto()  # the model API failed for good
    BUDGET = auto()  # tokens, context or the plan's quota ran out


def outcome_of(ending: Ending, gates: Mapping[QualityGate, bool]) -> Outcome:
    """The outcome, by the first rule that fits.

    1. The budget ran out: `timeout`.
    2. The model API failed for good: `failure`.
    3. Gates ran, and of each the last result was a failure: `failure`.
    4. Some gate's last result was a failure, or the agent was stopped before it was done: `partial`.
    5. Else `success`: all gates that ran passed. That none ran does not speak against it.
    """
    if ending is Ending.BUDGET:
        return Outcome.TIMEOUT
    if ending is Ending.ERROR or (gates and not any(gates.values())):
        return Outcome.FAILURE
    if ending is Ending.STOPPED or not all(gates.values()):
        return Outcome.PARTIAL
    return Outcome.SUCCESS
