"""Sparse counts: how often each of some small whole numbers occurred. Linear, and exact to merge and to subtract."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAX_KEY", "Counts", "Keys"]

Keys = NDArray[np.int64]

MAX_KEY = (1 << 16) - 1

_VERSION = 1
_HEADER = struct.Struct("<BBH")  # version, bytes of a count, number of keys less one (an empty one has no header but the version)
_COUNTS = {1: "<u1", 2: "<u2", 4: "<u4", 8: "<i8"}
_EMPTY: Keys = np.zeros(0, dtype=np.int64)


class Counts:
    """Counts of keys from 0 to 65,535, each above 0. Mutable; equal counts have equal serial forms.

    Attributes:
        keys: the keys that occurred, rising. Never changed in place.
        counts: how often each did. Never changed in place.
    """

    __slots__ = ("counts", "keys")

    def __init__(self, keys: Keys = _EMPTY, counts: Keys = _EMPTY) -> None:
        self.keys = keys
        self.counts = counts

    @classmethod
    def of(cls, keys: NDArray[Any]) -> Counts:
        """The counts of an array of keys, in any order and of any shape."""
        counts = np.bincount(keys.ravel()) if keys.size else _EMPTY  # much faster than to sort: there are at most 65,536 keys
        found = counts.nonzero()[0]
        return cls(found, counts[found])

    @property
    def total(self) -> int:
        """The sum of all counts."""
        return int(self.counts.sum())

    def get(self, key: int) -> int:
        """The count of one key."""
        place = int(self.keys.searchsorted(key))
        return int(self.counts[place]) if place < len(self.keys) and self.keys[place] == key else 0

    def between(self, start: int, end: int) -> Counts:
        """The counts of the keys from `start` to below `end`, as keys from 0."""
        low, high = self.keys.searchsorted((start, end))
        return Counts(self.keys[low:high] - start, self.counts[low:high])

    def merge(self, other: Counts) -> None:
        """Add all counts of `other`."""
        if not len(other.keys):
            return
        if not len(self.keys):
            self.keys, self.counts = other.keys, other.counts
            return
        keys = np.concatenate((self.keys, other.keys))
        order = keys.argsort(kind="stable")
        keys = keys[order]
        starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
        counts = np.concatenate((self.counts, other.counts))[order]
        self.keys, self.counts = keys[starts], np.add.reduceat(counts, starts)

    def subtract(self, other: Counts) -> None:
        """Take out all counts of `other`: the exact inverse of `merge`.

        Raises:
            ValueError: `other` holds something that was never added; nothing is taken out then.
        """
        rest = Counts(self.keys, self.counts)
        rest.merge(Counts(other.keys, -other.counts))
        if len(rest.counts) and rest.counts.min() < 0:
            raise ValueError("cannot take out what was never counted")
        used = rest.counts > 0
        self.keys, self.counts = rest.keys[used], rest.counts[used]

    def to_bytes(self) -> bytes:
        """Compact serial form: a version byte, then the keys and their counts in the fewest bytes that hold them."""
        if not len(self.keys):
            return bytes([_VERSION])
        largest = int(self.counts.max())
        width = 1 if largest < 1 << 8 else 2 if largest < 1 << 16 else 4 if largest < 1 << 32 else 8
        return _HEADER.pack(_VERSION, width, len(self.keys) - 1) + self.keys.astype("<u2").tobytes() + self.counts.astype(_COUNTS[width]).tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Counts:
        """The counts that `to_bytes` wrote.

        Raises:
            ValueError: `data` is no serial form of counts, or one of a newer version.
        """
        if not data:
            raise ValueError("not a serial form of counts: it is empty")
        if data[0] != _VERSION:
            raise ValueError(f"a serial form of version {data[0]}; this program reads version {_VERSION}")
        if len(data) == 1:
            return cls()
        if len(data) < _HEADER.size:
            raise ValueError("not a serial form of counts: too short")
        _, width, size = _HEADER.unpack_from(data)
        size += 1
        if width not in _COUNTS or len(data) != _HEADER.size + size * (2 + width):
            raise ValueError("not a serial form of counts: its header does not fit its length")
        keys = np.frombuffer(data, "<u2", size, _HEADER.size)
        counts = np.frombuffer(data, _COUNTS[width], size, _HEADER.size + 2 * size)
        if counts.min() < 1 or (keys[1:] <= keys[:-1]).any():
            raise ValueError("not a serial form of counts: keys are out of order, or a count is not above 0")
        return cls(keys.astype(np.int64), counts.astype(np.int64))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Counts):
            return NotImplemented
        return np.array_equal(self.keys, other.keys) and np.array_equal(self.counts, other.counts)

    __hash__ = None  # type: ignore[assignment]  # mutable
