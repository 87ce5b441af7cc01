"""Texts that repeat, by number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import apsw

__all__ = ["Texts"]

_REMEMBERED = 10_000


class Texts:
    """Numbers of texts in the table `texts`, remembered between transactions.

    New numbers are made by the writer alone. They count as known, for any thread, only when their transaction is committed: the
    writer calls `settle` after each.
    """

    def __init__(self) -> None:
        self._numbers: dict[str | None, int | None] = {None: None}
        self._made: dict[str, int] = {}
        self._texts: dict[int, str] = {}

    def known(self, texts: Iterable[str | None]) -> list[int | None] | None:
        """The numbers of texts, and None for None; None as a whole where one is not known yet. Any thread may ask."""
        try:
            return list(map(self._numbers.__getitem__, texts))
        except KeyError:
            return None

    def numbers(self, connection: apsw.Connection, texts: Iterable[str | None]) -> list[int | None]:
        """The numbers of texts, and None for None, made where there is none yet; within a transaction."""
        return [None if text is None else self.number(connection, text) for text in texts]

    def number(self, connection: apsw.Connection, text: str) -> int:
        """The number of a text, made where there is none yet; within a transaction."""
        number = self._numbers.get(text) or self._made.get(text)
        if number is None:
            plain = str(text)
            number = connection.execute("SELECT number FROM texts WHERE text = ?", (plain,)).get
            if number is None:
                number = connection.execute("INSERT INTO texts (text) VALUES (?) RETURNING number", (plain,)).get
            self._made[plain] = number
        return number

    def settle(self, *, committed: bool) -> None:
        """Take over what the last transaction made, or forget it, since it then does not exist."""
        if committed and self._made:
            if len(self._numbers) >= _REMEMBERED:
                self._numbers = {None: None}
            self._numbers.update(self._made)
        self._made.clear()

    def texts(self, connection: apsw.Connection, numbers: Sequence[int]) -> list[str]:
        """The texts of numbers that stand in an event."""
        try:
            return list(map(self._texts.__getitem__, numbers))
        except KeyError:
            return [self.text(connection, number) for number in numbers]

    def text(self, connection: apsw.Connection, number: int) -> str:
        """The text of a number that stands in an event."""
        text = self._texts.get(number)
        if text is None:
            text = connection.execute("SELECT text FROM texts WHERE number = ?", (number,)).get
            if len(self._texts) >= _REMEMBERED:
                self._texts.clear()
            self._texts[number] = text
        return text
