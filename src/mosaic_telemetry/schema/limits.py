"""Constants of the wire that need no type: sizes of batches, and the words of a verdict."""

from __future__ import annotations

__all__ = ["ACCEPTED", "MAX_BATCH_EVENTS", "MAX_BATCH_QUERIES", "REJECTED"]

MAX_BATCH_EVENTS = 100
"""Events in one request at most (the contract, section 3)."""
MAX_BATCH_QUERIES = 50
"""Queries in one request at most (the contract, section 4)."""
ACCEPTED = "accepted"
REJECTED = "rejected"
