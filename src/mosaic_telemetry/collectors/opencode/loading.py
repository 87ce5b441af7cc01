"""From the files of opencode to its records: of several copies of one, the fullest."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mosaic_telemetry.collectors.opencode.database import columns_of, open_snapshot, rows_of
from mosaic_telemetry.collectors.opencode.files import is_database
from mosaic_telemetry.collectors.opencode.records import Message, Part, read_message, read_part
from mosaic_telemetry.collectors.reading import LONGEST_LINE, Counting, read_document
from mosaic_telemetry.collectors.untrusted import as_text
from mosaic_telemetry.collectors.values import Skipped

__all__ = ["Store", "load"]

_TABLES = {"message": ("id", "session_id", "time_created", "data"), "part": ("id", "message_id", "data"), "session": ("id", "parent_id")}

# SQLite quotes a damaged schema in its message, which then is no text either; and a number in the file may ask for any memory.
_UNREADABLE = (OSError, sqlite3.Error, UnicodeError, MemoryError, OverflowError)


class Store:
    """All records of all files. Law: the order in which they come, and how often, makes no difference.

    Attributes:
        messages: by id.
        parts: by message and id.
        parents: by session of a subagent, the session that started it.
    """

    def __init__(self) -> None:
        self.messages: dict[str, Message] = {}
        self.parts: dict[str, dict[str, Part]] = {}
        self.parents: dict[str, str] = {}

    def add_message(self, message: Message) -> None:
        """Note a message, unless a fuller copy of it is known."""
        known = self.messages.get(message.id)
        self.messages[message.id] = message if known is None else max(known, message, key=_progress)

    def add_part(self, part: Part) -> None:
        """Note a part, unless a fuller copy of it is known."""
        parts = self.parts.setdefault(part.message, {})
        known = parts.get(part.id)
        parts[part.id] = part if known is None else max(known, part, key=_fullness)

    def add_session(self, session: str, parent: str) -> None:
        """Note which session started another."""
        if session and parent and session != parent:
            self.parents[session] = min(parent, self.parents.get(session, parent))

    def parts_of(self, message: Message) -> list[Part]:
        """A message's parts in the order in which they were written."""
        return [part for _, part in sorted(self.parts.get(message.id, {}).items())]


def load(files: Iterable[Path], counting: Counting) -> Store:
    """Read files: databases and the JSON files of older versions."""
    store = Store()
    databases: list[Path] = []
    documents: list[Path] = []
    for path in sorted(set(files)):
        (databases if is_database(path) else documents).append(path)
    for path in databases:
        _load_database(path, store, counting)
    later: list[tuple[Path, Mapping[str, Any]]] = []
    for path in documents:
        record = read_document(path, counting)
        if record is None:
            continue
        if "role" in record:
            message = read_message(record, path)
            if message.id and message.session:
                store.add_message(message)
            else:
                counting.skip(Skipped(path, 0, "a message without its id or that of its session"))
        elif "messageID" in record:
            if as_text(record["messageID"]) in store.messages:
                _add_part(store, read_part(record, provider=store.messages[as_text(record["messageID"])].provider))
            else:
                later.append((path, {name: value for name, value in record.items() if name != "snapshot"}))
        else:
            store.add_session(as_text(record.get("id")), as_text(record.get("parentID")))
    for _, record in later:
        known = store.messages.get(as_text(record["messageID"]))
        _add_part(store, read_part(record, provider=known.provider if known else ""))
    return store


def _add_part(store: Store, part: Part) -> None:
    if part.id and part.message:
        store.add_part(part)


def _load_database(path: Path, store: Store, counting: Counting) -> None:
    seen = 0
    try:
        with open_snapshot(path) as connection:
            missing = [table for table in ("message", "part") if "data" not in columns_of(connection, table)]
            if missing:
                counting.skip(Skipped(path, 0, f"has no table {missing[0]!r} of sessions"))
                return
            for row in _rows(connection, "message", path, counting):
                data = _object(row, "message", path, counting)
                if data is not None:
                    message = read_message(data, path, message=_text(row.get("id")), session=_text(row.get("session_id")), created=row.get("time_created"))
                    store.add_message(message)
                    seen = _advance(counting, seen, row)
            for row in _rows(connection, "part", path, counting):
                data = _object(row, "part", path, counting)
                known = store.messages.get(_text(row.get("message_id")))
                if data is not None:
                    _add_part(store, read_part(data, part=_text(row.get("id")), message=_text(row.get("message_id")), provider=known.provider if known else ""))
                    seen = _advance(counting, seen, row)
            for row in _rows(connection, "session", path, counting):
                store.add_session(_text(row.get("id")), _text(row.get("parent_id")))
        counting.advance(max(0, path.stat().st_size - seen))
    except _UNREADABLE as error:
        counting.skip(Skipped(path, 0, f"cannot be read as a database: {error}"))


def _rows(connection: sqlite3.Connection, table: str, path: Path, counting: Counting) -> Iterator[dict[str, Any]]:
    """The rows up to where the file is damaged, so that the other tables are still read."""
    try:
        yield from rows_of(connection, table, _TABLES[table])
    except _UNREADABLE as error:
        counting.skip(Skipped(path, 0, f"table {table!r} cannot be read on from here: {error}"))


def _object(row: Mapping[str, Any], table: str, path: Path, counting: Counting) -> Mapping[str, Any] | None:
    text = row.get("data")
    try:
        value = json.loads(text) if isinstance(text, (bytes, str)) and len(text) <= LONGEST_LINE else None
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict) and _text(row.get("id")):
        return value
    counting.skip(Skipped(path, 0, f"{table} {_text(row.get('id'))!r} holds no JSON object"))
    return None


def _advance(counting: Counting, seen: int, row: Mapping[str, Any]) -> int:
    counting.advance(len(row["data"]))
    return seen + len(row["data"])


def _text(value: Any) -> str:
    return as_text(value.decode("utf-8", "replace") if isinstance(value, bytes) else value)


def _progress(message: Message) -> tuple[object, ...]:
    return (message.completed_ms or 0, message.spent.size, message.finish, message.error, repr(message))


def _fullness(part: Part) -> tuple[object, ...]:
    return ((part.tool and part.tool.end_ms) or 0, part.spent.size if part.spent else (0, 0), repr(part))
