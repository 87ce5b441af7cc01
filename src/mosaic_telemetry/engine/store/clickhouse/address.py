"""What a person writes to name a ClickHouse database."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from mosaic_telemetry.engine.errors import DatabaseError

__all__ = ["SCHEME", "Address", "named"]

SCHEME = "clickhouse://"

_PORT, _SECURE_PORT = 8123, 8443
_OPTIONS = ("accounts", "cluster", "insert_ms", "secure", "ttl_days")
_LEAST_TTL = 400  # the longest window of predictions
_INSERT_MS = 100


@dataclass(frozen=True, slots=True)
class Address:
    """A ClickHouse database, with the one beside it.

    Attributes:
        host: of its HTTP interface.
        port: of its HTTP interface.
        user: to work as.
        password: of the user.
        database: its name.
        secure: whether to use TLS.
        accounts: the database that keeps all but the events: `postgresql://…`, or a SQLite file.
        cluster: the cluster on which the tables are replicated and sharded; None for one server.
        ttl_days: days after receipt from which on ClickHouse may drop events by itself; None for never.
        insert_ms: milliseconds between two inserts of one process, at least: ClickHouse likes few large ones.
    """

    host: str
    port: int
    user: str
    password: str
    database: str
    secure: bool
    accounts: str
    cluster: str | None = None
    ttl_days: int | None = None
    insert_ms: int = _INSERT_MS

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read an address: `clickhouse://user:password@host:8123/database?accounts=postgresql://…`.

        Raises:
            DatabaseError: it is none; the text says what is wrong, without the password.
        """
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError as error:
            raise DatabaseError(f"{named(url)} is no address of a ClickHouse database: its port is no number up to 65535") from error
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        if unknown := sorted(options.keys() - set(_OPTIONS)):
            raise DatabaseError(f"{named(url)}: no option is called {unknown[0]}; there are {', '.join(_OPTIONS)}")
        accounts = options.get("accounts", "")
        if not accounts or accounts.startswith(SCHEME):
            raise DatabaseError(f"{named(url)} needs a database for all but the events: add ?accounts=postgresql://… or the path of a SQLite file")
        secure = _switch(url, options)
        return cls(
            host=parts.hostname or "localhost",
            port=port or (_SECURE_PORT if secure else _PORT),
            user=unquote(parts.username or "default"),
            password=unquote(parts.password or ""),
            database=unquote(parts.path.strip("/")) or "default",
            secure=secure,
            accounts=accounts,
            cluster=options.get("cluster") or None,
            ttl_days=_number(url, options, "ttl_days", _LEAST_TTL) if "ttl_days" in options else None,
            insert_ms=_number(url, options, "insert_ms", 0) if "insert_ms" in options else _INSERT_MS,
        )

    @property
    def name(self) -> str:
        """For messages: without user, password and options."""
        return f"{SCHEME}{self.host}:{self.port}/{self.database}"


def named(url: str) -> str:
    """The name of a database for messages: its address without user, password and options."""
    parts = urlsplit(url)
    return f"{SCHEME}{parts.netloc.rpartition('@')[2] or 'localhost'}{parts.path}"


def _switch(url: str, options: dict[str, str]) -> bool:
    value = options.get("secure", "0")
    if value not in {"0", "1"}:
        raise DatabaseError(f"{named(url)}: secure is 0 or 1")
    return value == "1"


def _number(url: str, options: dict[str, str], name: str, least: int) -> int:
    text = options[name]
    if not text.isdecimal() or int(text) < least:
        raise DatabaseError(f"{named(url)}: {name} is a whole number from {least} on")
    return int(text)
