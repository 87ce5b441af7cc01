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

    Args:
        most: how many to remember.
    """

    def __init__(self, most: int = _REMEMBERED) -> None:
        self._most = most
        self._numbers: dict[str, int] = {}
        self._texts: dict[int, str] = {}

    async def numbers(self, connection: asyncpg.Connection, texts: Iterable[str]) -> dict[str, int]:
        """The numbers of texts, made where there are none yet; outside a transaction."""
        wanted = set(texts)
        found = await self._find(connection, wanted)
        if missing := sorted(wanted - found.keys()):  # only now: a number is used up also where the text turns out to be there
            await connection.execute("INSERT INTO texts (text) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING", missing)
            found |= await self._find(connection, missing)
        return found

    async def texts(self, connection: asyncpg.Connection, numbers: Iterable[int]) -> dict[int, str]:
        """The texts of numbers that stand in rows."""
        wanted = set(numbers)
        found = {number: self._texts[number] for number in wanted if number in self._texts}
        if missing := list(wanted - found.keys()):
            found |= self._remember(await connection.fetch("SELECT number, text FROM texts WHERE number = ANY($1)", missing))
        return found

    async def _find(self, connection: asyncpg.Connection, wanted: Iterable[str]) -> dict[str, int]:
        found = {text: self._numbers[text] for text in wanted if text in self._numbers}
        if missing := [text for text in wanted if text not in found]:
            rows = self._remember(await connection.fetch("SELECT number, text FROM texts WHERE text = ANY($1)", missing))
            found |= {text: number for number, text in rows.items()}
        return found

    def _remember(self, rows: Iterable[tuple[int, str]]) -> dict[int, str]:
        if len(self._numbers) > self._most:
            self._numbers, self._texts = {}, {}
        found = dict(rows)
        self._texts |= found
        self._numbers |= {text: number for number, text in found.items()}
        return found
