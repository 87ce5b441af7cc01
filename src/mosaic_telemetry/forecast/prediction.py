"""From a cell to the numbers of an answer."""

from __future__ import annotations

from mosaic_telemetry.forecast.cell import Cell
from mosaic_telemetry.forecast.histogram import Histogram
from mosaic_telemetry.schema import CorrectionFactors, PredictionData, QualityPrediction, TokenDistribution

__all__ = ["QUANTILES", "summarise"]

QUANTILES = {"p10": 0.10, "p25": 0.25, "median": 0.50, "p75": 0.75, "p90": 0.90}
_SHARES = tuple(QUANTILES.values())


def summarise(cell: Cell) -> PredictionData:
    """The cell's own quantiles and shares: tokens, micro-dollars and milliseconds as whole numbers.

    The map of costs is empty where no event of a known cost stands in the cell: an unknown cost is never shown as 0.

    Raises:
        ValueError: the cell is empty.
    """
    if not cell.events:
        raise ValueError("an empty cell says nothing")
    return PredictionData(
        input_tokens=TokenDistribution(**_quantiles(cell.input_tokens)),
        output_tokens=TokenDistribution(**_quantiles(cell.output_tokens)),
        cost_usd_micros=_quantiles(cell.cost_micros),
        duration_ms=_quantiles(cell.duration_ms),
        correction_factors=CorrectionFactors(input=_median_ratio(cell.input_ratio), output=_median_ratio(cell.output_ratio)),
        quality=QualityPrediction(gate_pass_rate=cell.gates_passed / cell.events, success_rate=cell.successes / cell.events),
    )


def _quantiles(histogram: Histogram) -> dict[str, float]:
    if histogram.is_empty:
        return {}
    return dict(zip(QUANTILES, map(round, histogram.quantiles(_SHARES)), strict=True))


def _median_ratio(histogram: Histogram) -> float:
    return round(histogram.quantile(0.5), 4) if not histogram.is_empty else 1.0
