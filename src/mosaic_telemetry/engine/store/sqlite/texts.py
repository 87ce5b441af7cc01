"""Texts that repeat, by number."""

from __future__ import annotations

from collections.abc import Iterable

import apsw

__all__ = ["Texts"]

_REMEMBERED = 10_000


class Texts:
    """Numbers of texts in the table `texts`, remembered between transactions.

    Used by the writer alone. A transaction that is undone may have made numbers that then do not exist: call `forget`.
    """

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._texts: dict[int, str] = {}

    def number(self, connection: apsw.Connection, text: str) -> int:
        """The number of a text, made where there is none yet; within a transaction."""
        number = self._numbers.get(text)
        if number is None:
            plain = str(text)
            number = connection.execute("SELECT number FROM texts WHERE text = ?", (plain,)).get
            if number is None:
                number = connection.execute("INSERT INTO texts (text) VALUES (?) RETURNING number", (plain,)).get
            if len(self._numbers) >= _REMEMBERED:
                self.forget()
            self._numbers[plain] = number
        return number

    def numbers(self, connection: apsw.Connection, texts: Iterable[str | None]) -> list[int | None]:
        """The numbers of texts, None for None; within a transaction."""
        known = self._numbers
        try:
            return [None if text is None else known[text] for text in texts]
        except KeyError:
            return [None if text is None else self.number(connection, text) for text in texts]

    def text(self, connection: apsw.Connection, number: int) -> str:
        """The text of a number that stands in an event."""
        text = self._texts.get(number)
        if text is None:
            text = connection.execute("SELECT text FROM texts WHERE number = ?", (number,)).get
            if len(self._texts) >= _REMEMBERED:
                self.forget()
            self._texts[number] = text
        return text

    def forget(self) -> None:
        """Forget everything."""
        self._numbers.clear()
        self._texts.clear()
