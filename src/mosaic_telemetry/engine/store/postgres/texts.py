"""Numbers of texts, remembered for good: a text that was committed stays."""

from __future__ import annotations

from collections.abc import Iterable

import asyncpg

__all__ = ["Texts"]

_REMEMBERED = 100_000


class Texts:
    """Texts and their numbers. Used on one event loop.

    New texts are committed by themselves, before what uses them: so a number stands whatever becomes of that, and two processes
    never wait for each other's transactions.
    """

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._texts: dict[int, str] = {}

    async def numbers(self, connection: asyncpg.Connection, texts: Iterable[str]) -> dict[str, int]:
        """The numbers of texts, made where there are none yet; outside a transaction."""
        wanted = set(texts)
        missing = sorted(wanted - self._numbers.keys())
        if missing:
            await connection.execute("INSERT INTO texts (text) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING", missing)
            self._remember(await connection.fetch("SELECT number, text FROM texts WHERE text = ANY($1)", missing))
        return {text: self._numbers[text] for text in wanted}

    async def texts(self, connection: asyncpg.Connection, numbers: Iterable[int]) -> dict[int, str]:
        """The texts of numbers that stand in rows."""
        wanted = set(numbers)
        missing = list(wanted - self._texts.keys())
        if missing:
            self._remember(await connection.fetch("SELECT number, text FROM texts WHERE number = ANY($1)", missing))
        return {number: self._texts[number] for number in wanted}

    def _remember(self, rows: Iterable[tuple[int, str]]) -> None:
        if len(self._numbers) > _REMEMBERED:
            self._numbers, self._texts = {}, {}
        for number, text in rows:
            self._numbers[text] = number
            self._texts[number] = text
