"""Pure statistics: histograms, cells of them, the ladder of fallbacks, pooling, calibration, scores, and the numbers of an answer.

No file, no clock, no global state; imports nothing of ours but the schema.
"""

from mosaic_telemetry.forecast.budget import amount_kept, chance_within
from mosaic_telemetry.forecast.calibration import CLASSES, Calibration, class_of
from mosaic_telemetry.forecast.cell import ABSENT, PLAIN, Cell, Tasks
from mosaic_telemetry.forecast.comparison import Standing, compare
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
from mosaic_telemetry.forecast.pooling import CANDIDATES, DEFAULT, FULL, SHARES, Constants, pool
from mosaic_telemetry.forecast.prediction import QUANTILES, TARGETS, Question, Summary, answer, summaries, summarise, summary_of
from mosaic_telemetry.forecast.rates import CostPerSuccess, cost_per_success, share_interval
from mosaic_telemetry.forecast.scoring import Score, pinball
from mosaic_telemetry.forecast.weights import HALF_LIFE_DAYS, LARGEST_AGE, days_of, weights_of

__all__ = [
    "ABSENT",
    "CANDIDATES",
    "CLASSES",
    "DEFAULT",
    "DIMENSIONS",
    "ENOUGH",
    "FULL",
    "HALF_LIFE_DAYS",
    "LADDER",
    "LARGEST_AGE",
    "NO_DATA",
    "PLAIN",
    "QUANTILES",
    "SHARES",
    "TARGETS",
    "Calibration",
    "Cell",
    "CellKey",
    "Confidence",
    "Constants",
    "CostPerSuccess",
    "Counts",
    "Histogram",
    "Keys",
    "Question",
    "Score",
    "Standing",
    "Summary",
    "Tasks",
    "amount_kept",
    "answer",
    "chance_within",
    "class_of",
    "compare",
    "confidence",
    "cost_per_success",
    "days_of",
    "dimensions_matched",
    "fallback_note",
    "keys_of",
    "pinball",
    "pool",
    "same_model",
    "share_interval",
    "summaries",
    "summarise",
    "summary_of",
    "weights_of",
]
