"""The record of settled forecasts: how good they were, and what that says about the next."""

from __future__ import annotations

import struct
from typing import Self

from mosaic_telemetry.forecast.calibration import Calibration
from mosaic_telemetry.forecast.pooling import Floats, Sizes
from mosaic_telemetry.forecast.scoring import Score

__all__ = ["Record"]

_VERSION = 1
_HEADER = struct.Struct("<BI")


class Record:
    """How the forecasts of one target, in some circumstances, did. Mutable; equal ones have equal serial forms.

    Attributes:
        score: of the forecasts as they were given.
        calibration: of the same before they were corrected.
    """

    __slots__ = ("calibration", "score")

    def __init__(self) -> None:
        self.score = Score()
        self.calibration = Calibration()

    def settle(self, sizes: Sizes, uncorrected: Floats, given: Floats, actuals: Floats) -> None:
        """Add settled forecasts, in logarithms: `[forecast, share]`, and `[forecast]` for what came; `sizes` is as in `Calibration.record`."""
        self.calibration.record(sizes, uncorrected, actuals)
        self.score.add(given, actuals)

    def merge(self, other: Record) -> None:
        """Add all that `other` holds."""
        self.score.merge(other.score)
        self.calibration.merge(other.calibration)

    def copy(self) -> Record:
        """An equal record that goes its own way."""
        record = Record()
        record.merge(self)
        return record

    def to_bytes(self) -> bytes:
        """Compact serial form, with a version byte."""
        score = self.score.to_bytes()
        return _HEADER.pack(_VERSION, len(score)) + score + self.calibration.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """What `to_bytes` wrote.

        Raises:
            ValueError: `data` is no serial form of a record, or one of another version.
        """
        if len(data) < _HEADER.size or data[0] != _VERSION:
            raise ValueError("not a serial form of a record that this program reads")
        record = cls()
        end = _HEADER.size + _HEADER.unpack_from(data)[1]
        record.score = Score.from_bytes(data[_HEADER.size : end])
        record.calibration = Calibration.from_bytes(data[end:])
        return record

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record):
            return NotImplemented
        return self.to_bytes() == other.to_bytes()

    __hash__ = None  # type: ignore[assignment]  # mutable
