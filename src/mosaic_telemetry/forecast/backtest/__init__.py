"""Backtest: how forecasts would have done on tasks whose outcome is known, beside simpler ways to forecast."""

from mosaic_telemetry.forecast.backtest.replay import METHODS, VIEWS, Verdict, backtest
from mosaic_telemetry.forecast.backtest.splits import Split, by_group, by_source, by_time
from mosaic_telemetry.forecast.backtest.table import Table, Task

__all__ = ["METHODS", "VIEWS", "Split", "Table", "Task", "Verdict", "backtest", "by_group", "by_source", "by_time"]
