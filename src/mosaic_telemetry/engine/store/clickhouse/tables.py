"""The tables of a ClickHouse database, and of the one beside it, as rows.

Texts stand with the events here; for others they are numbered, beginning with the numbers that the other database has given them.
What is written is seen when the other database commits: until then it lies under numbers that nobody reads, and the next that writes
begins with nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing

from mosaic_telemetry.engine.store.clickhouse.address import Address
from mosaic_telemetry.engine.store.clickhouse.ddl import EVENT_IDS, EVENTS, TABLES
from mosaic_telemetry.engine.store.clickhouse.events import once
from mosaic_telemetry.engine.store.clickhouse.link import Link
from mosaic_telemetry.engine.store.clickhouse.slices import Slices, SlicesStore, outside
from mosaic_telemetry.engine.store.clickhouse.store import OWN_SETTINGS, ClickhouseStore
from mosaic_telemetry.engine.store.columns import GATES, TEXTS
from mosaic_telemetry.engine.store.protocol import Store
from mosaic_telemetry.engine.store.tables import CHUNK, Row, Table, Tables

__all__ = ["ClickhouseTables"]

_WORDS = (*TEXTS, *GATES)
_PLACES = [list(EVENTS.columns).index(name) for name in _WORDS]


class ClickhouseTables:
    """`Tables` of a ClickHouse database, brought up to date where needed, with everything settled that came in.

    Args:
        address: of the ClickHouse database.
        open_accounts: opens the store of the other database.
        open_tables: opens its tables.

    Raises:
        DatabaseError: one of the two cannot be opened.
    """

    def __init__(self, address: Address, open_accounts: Callable[[], Store], open_tables: Callable[[], Tables]) -> None:
        with closing(ClickhouseStore(address, open_accounts())) as store:
            store.horizon()
            self._slices = SlicesStore(store).read() or Slices()
            self._settings = [(name, value) for name in OWN_SETTINGS if (value := store.setting(name)) is not None]
        self._tables = open_tables()
        self._others: list[Row] = []
        self._table: Table | None = None
        try:
            self._link = Link(address)
        except BaseException:
            self._tables.close()
            raise
        self._numbers: dict[str | None, int | None] = {}

    def read(self, table: Table) -> Iterator[list[Row]]:
        if table.name == "events":
            yield from self._read_events()
        elif table.name == "texts":
            named: list[Row] = sorted((number, text) for text, number in self._texts(table).items() if number is not None)
            yield from (named[start : start + CHUNK] for start in range(0, len(named), CHUNK))
        else:
            for rows in self._tables.read(table):
                some = [row for row in rows if row[0] not in OWN_SETTINGS] if table.name == "settings" else rows
                if some:
                    yield some

    def write(self, table: Table, rows: Iterable[list[Row]]) -> None:
        if table.name == "events":
            self._write_events(rows)
            return
        kept: list[Row] = []
        if table.name in {"settings", "texts"}:
            rows = list(rows)
            kept = [row for some in rows for row in some]
        if table.name == "texts":
            self._numbers = {None: None, **{text: number for number, text in kept}}
        elif table.name == "settings":
            self._table, self._others = table, kept
        self._tables.write(table, rows)

    def last(self, table: str) -> int:
        return self._slices.given if table == "events" else self._tables.last(table)

    def continue_after(self, table: str, last: int) -> None:
        if table == "events":
            self._slices = Slices(settled=last, given=last)
        else:
            self._tables.continue_after(table, last)

    def commit(self) -> None:
        if self._table is not None:
            own = dict(self._settings) | self._slices.as_setting()
            self._tables.write(self._table, [[*self._others, *own.items()]])
        self._tables.commit()

    def close(self) -> None:
        self._link.close()
        self._tables.close()

    def _texts(self, table: Table) -> dict[str | None, int | None]:
        """The number of each text: those of the other database, and then of each that stands in an event."""
        if not self._numbers:
            numbers: dict[str | None, int | None] = {None: None}
            numbers.update((text, number) for rows in self._tables.read(table) for number, text in rows)
            found = {row[0] for name in _WORDS for row in self._link.rows(f"SELECT DISTINCT {name} FROM {EVENTS.name} WHERE {self._seen()}")}  # noqa: S608 - fixed names
            last = max((number for number in numbers.values() if number is not None), default=0)
            numbers.update((text, number) for number, text in enumerate(sorted(found - set(numbers)), last + 1))
            self._numbers = numbers
        return self._numbers

    def _seen(self, after: int = 0) -> str:
        return f"sequence > {after} AND sequence <= {self._slices.settled}{outside(self._slices.struck, after)}"

    def _read_events(self) -> Iterator[list[Row]]:
        numbers = self._texts(Table("texts", ("number", "text")))
        after = 0
        while found := self._link.rows(f"SELECT {', '.join(EVENTS.columns)} FROM {EVENTS.name} WHERE {self._seen(after)} ORDER BY sequence LIMIT {CHUNK}"):  # noqa: S608 - fixed names
            some: list[Row] = []
            for row in once(found):
                values = list(row)
                for place in _PLACES:
                    values[place] = numbers[values[place]]
                some.append(tuple(values))
            yield some
            after = found[-1][0]

    def _write_events(self, rows: Iterable[list[Row]]) -> None:
        texts = {number: text for text, number in self._numbers.items()}
        for table in TABLES:
            self._link.empty(table)
        self._slices = Slices()
        token = secrets.token_hex(8)
        for some in rows:
            columns = dict(zip(EVENTS.columns, map(list, zip(*some, strict=True)), strict=True))
            for name in _WORDS:
                columns[name] = [texts[number] for number in columns[name]]
            last = columns["sequence"][-1]
            for table in (EVENTS, EVENT_IDS):
                self._link.insert(table, columns, f"{table.name} {token} {last}", in_order=True)
            self._slices = Slices(settled=last, given=last)
