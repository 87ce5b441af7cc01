"""Pure statistics: histograms, cells of them, the ladder of fallbacks, and the numbers of an answer.

No file, no clock, no global state; imports nothing of ours but the schema.
"""

from mosaic_telemetry.forecast.cell import ABSENT, Cell, Tasks
from mosaic_telemetry.forecast.counts import Counts, Keys
from mosaic_telemetry.forecast.histogram import Histogram
from mosaic_telemetry.forecast.ladder import (
    DIMENSIONS,
    ENOUGH,
    LADDER,
    NO_DATA,
    CellKey,
    Confidence,
    confidence,
    dimensions_matched,
    fallback_note,
    keys_of,
    same_model,
)
from mosaic_telemetry.forecast.prediction import QUANTILES, summarise

__all__ = [
    "ABSENT",
    "DIMENSIONS",
    "ENOUGH",
    "LADDER",
    "NO_DATA",
    "QUANTILES",
    "Cell",
    "CellKey",
    "Confidence",
    "Counts",
    "Histogram",
    "Keys",
    "Tasks",
    "confidence",
    "dimensions_matched",
    "fallback_note",
    "keys_of",
    "same_model",
    "summarise",
]
