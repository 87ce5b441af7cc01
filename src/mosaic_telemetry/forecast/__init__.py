"""Pure statistics: histograms, cells of them, the ladder of fallbacks, pooling, calibration, scores, and the numbers of an answer.

No file, no clock, no global state; imports nothing of ours but the schema.
"""

from mosaic_telemetry.forecast.budget import amount_kept, chance_within, still_to_come
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
    PERIOD_DAYS,
    RECENT,
    CellKey,
    Confidence,
    confidence,
    dimensions_matched,
    fallback_note,
    keys_of,
    recent_key,
    same_model,
)
from mosaic_telemetry.forecast.pooling import CANDIDATES, DEFAULT, FULL, SHARES, Constants, pool, to_logs
from mosaic_telemetry.forecast.prediction import (
    QUANTILES,
    TARGETS,
    Outside,
    Question,
    Summary,
    answer,
    chosen_of,
    corrected,
    forecasts,
    summaries,
    summarise,
    summary_of,
    told,
)
from mosaic_telemetry.forecast.publishing import MOST, SHOWN_FROM, Published, contribution, own_ends, publish
from mosaic_telemetry.forecast.rates import CostPerSuccess, cost_per_success, share_interval
from mosaic_telemetry.forecast.recent import follow
from mosaic_telemetry.forecast.record import Record
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
    "MOST",
    "NO_DATA",
    "PERIOD_DAYS",
    "PLAIN",
    "QUANTILES",
    "RECENT",
    "SHARES",
    "SHOWN_FROM",
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
    "Outside",
    "Published",
    "Question",
    "Record",
    "Score",
    "Standing",
    "Summary",
    "Tasks",
    "amount_kept",
    "answer",
    "chance_within",
    "chosen_of",
    "class_of",
    "compare",
    "confidence",
    "contribution",
    "corrected",
    "cost_per_success",
    "days_of",
    "dimensions_matched",
    "fallback_note",
    "follow",
    "forecasts",
    "keys_of",
    "own_ends",
    "pinball",
    "pool",
    "publish",
    "recent_key",
    "same_model",
    "share_interval",
    "still_to_come",
    "summaries",
    "summarise",
    "summary_of",
    "to_logs",
    "told",
    "weights_of",
]
