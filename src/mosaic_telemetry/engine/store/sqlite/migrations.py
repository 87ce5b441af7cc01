"""The tables, as a list of steps: a database stands at step `PRAGMA user_version`. Steps are only ever added."""

from __future__ import annotations

import time

import apsw

from mosaic_telemetry.engine.errors import DatabaseError

__all__ = ["APPLICATION_ID", "STEPS", "migrate", "version_of"]

APPLICATION_ID = 0x4D6F5465  # "MoTe", so that another program's database is never taken for ours

_FIRST = """
CREATE TABLE instances (
    number INTEGER PRIMARY KEY,
    instance_id BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    local INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX one_local_instance ON instances (local) WHERE local = 1;

CREATE TABLE api_keys (
    digest BLOB PRIMARY KEY,            -- SHA-256 of the key
    instance INTEGER NOT NULL REFERENCES instances (number),
    created_ms INTEGER NOT NULL,
    revoked_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX api_keys_of_instance ON api_keys (instance);

-- Every text that repeats (enum values, models, languages, sets of gates) stands here once; events name it by number.
CREATE TABLE texts (number INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;

-- A row by sequence number and an index on the id: smaller than a table by id (121 against 133 bytes an event) and, for random
-- ids, inserted 1.5 to 1.7 times as fast, since only the index is written out of order.
-- AUTOINCREMENT: a sequence number is never used again, also after its event was deleted, since the roll-up goes by it.
CREATE TABLE events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id BLOB NOT NULL UNIQUE,
    instance INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    timestamp_ms INTEGER NOT NULL,
    task_duration_ms INTEGER NOT NULL,
    task_type INTEGER NOT NULL,
    complexity INTEGER NOT NULL,
    harness INTEGER NOT NULL,
    model INTEGER NOT NULL,
    provider INTEGER NOT NULL,
    estimated_input_tokens INTEGER NOT NULL,
    estimated_output_tokens INTEGER NOT NULL,
    actual_input_tokens INTEGER NOT NULL,
    actual_output_tokens INTEGER NOT NULL,
    estimated_cost_usd_micros INTEGER NOT NULL,
    actual_cost_usd_micros INTEGER NOT NULL,
    quality_gate_passed INTEGER NOT NULL,
    quality_gates_run INTEGER NOT NULL,
    quality_gates_failed INTEGER NOT NULL,
    context_compactions INTEGER NOT NULL,
    context_rotations INTEGER NOT NULL,
    context_utilization_final REAL NOT NULL,
    outcome INTEGER NOT NULL,
    retry_count INTEGER NOT NULL,
    language INTEGER,
    repo_size_category INTEGER
) STRICT;

-- One row a cell: its statistics over the window. The count stands before the data, so that a thin cell is passed over cheaply.
CREATE TABLE cells (
    number INTEGER PRIMARY KEY,
    level INTEGER NOT NULL,
    dimensions TEXT NOT NULL,
    events INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    data BLOB NOT NULL,
    UNIQUE (level, dimensions)
) STRICT;

-- The same by day (of the event's timestamp, UTC, days since 1970), for the cells of level 0 only.
CREATE TABLE daily_cells (
    cell INTEGER NOT NULL REFERENCES cells (number),
    day INTEGER NOT NULL,
    events INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (cell, day)
) STRICT;

-- The last sequence number that is counted in the cells.
CREATE TABLE watermark (sequence INTEGER NOT NULL) STRICT;
INSERT INTO watermark VALUES (0);
"""

# Cells follow a window between two watermarks instead of being added up for ever; the events are all there, and are counted anew.
_SECOND = """
DROP TABLE daily_cells;
DROP TABLE cells;
DROP TABLE watermark;

ALTER TABLE events ADD COLUMN standing INTEGER NOT NULL DEFAULT 0; -- 0 counts; see engine.store.values

-- Which events the cells hold; one row. See engine.store.CellState.
CREATE TABLE cell_state (
    version INTEGER NOT NULL,
    counted INTEGER NOT NULL,
    expired INTEGER NOT NULL,
    scored INTEGER NOT NULL,
    landmark INTEGER NOT NULL,
    profile TEXT NOT NULL
) STRICT;
INSERT INTO cell_state VALUES (0, 0, 0, 0, 0, '');

CREATE TABLE cells (
    number INTEGER PRIMARY KEY,
    level INTEGER NOT NULL,
    dimensions TEXT NOT NULL,
    updated_ms INTEGER NOT NULL,
    instances INTEGER NOT NULL,
    data BLOB NOT NULL,
    UNIQUE (level, dimensions)
) STRICT;

-- What each instance has in a cell.
CREATE TABLE shares (
    cell INTEGER NOT NULL,
    instance INTEGER NOT NULL,
    events INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    data BLOB,                          -- a cell of its own, where instances are weighed
    PRIMARY KEY (cell, instance)
) STRICT, WITHOUT ROWID;

-- Sums of all events that are held, by day of their timestamp (days since 1970, UTC).
CREATE TABLE daily_totals (
    day INTEGER NOT NULL,
    task_type INTEGER NOT NULL,
    model INTEGER NOT NULL,
    provider INTEGER NOT NULL,
    complexity INTEGER NOT NULL,
    harness INTEGER NOT NULL,
    events INTEGER NOT NULL,
    successes INTEGER NOT NULL,
    gates_passed INTEGER NOT NULL,
    priced INTEGER NOT NULL,
    priced_successes INTEGER NOT NULL,
    cost_usd_micros INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    PRIMARY KEY (day, task_type, model, provider, complexity, harness)
) STRICT, WITHOUT ROWID;

-- How past forecasts did. See engine.store.RecordKey.
CREATE TABLE records (
    target TEXT NOT NULL,
    level INTEGER NOT NULL,
    size INTEGER NOT NULL,
    month INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (target, level, size, month)
) STRICT, WITHOUT ROWID;

-- What came in, by day of receipt: accepted, duplicate, or why it was refused.
CREATE TABLE intake (
    day INTEGER NOT NULL,
    instance INTEGER NOT NULL,
    result TEXT NOT NULL,
    events INTEGER NOT NULL,
    PRIMARY KEY (day, instance, result)
) STRICT, WITHOUT ROWID;

ALTER TABLE api_keys RENAME TO old_api_keys;
DROP INDEX api_keys_of_instance;
CREATE TABLE api_keys (
    number INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,        -- SHA-256 of the key
    instance INTEGER NOT NULL REFERENCES instances (number),
    name TEXT NOT NULL DEFAULT '',
    hint TEXT NOT NULL DEFAULT '',      -- its last characters, for people to tell keys apart
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER,
    revoked_ms INTEGER
) STRICT;
CREATE INDEX api_keys_of_instance ON api_keys (instance);
INSERT INTO api_keys (digest, instance, created_ms, revoked_ms) SELECT digest, instance, created_ms, revoked_ms FROM old_api_keys ORDER BY created_ms;
DROP TABLE old_api_keys;

-- What administrators did.
CREATE TABLE audit (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL                -- JSON
) STRICT;

CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- Token buckets of rate limits, which all workers share.
CREATE TABLE rate_buckets (name TEXT PRIMARY KEY, tokens REAL NOT NULL, at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
"""

STEPS = (_FIRST, _SECOND)
"""All of them, in their order."""

_PATIENCE = 600.0
_PAUSE = 0.05


def migrate(connection: apsw.Connection, path: str) -> None:
    """Bring the database up to this program's tables; several processes may try at once.

    A failure leaves a transaction open: close the connection, which undoes it.

    Raises:
        DatabaseError: the database belongs to another program, or to a newer version of this one.
    """
    if version_of(connection, path) == len(STEPS):
        return
    _begin(connection)
    for step in STEPS[version_of(connection, path) :]:
        connection.execute(step)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {len(STEPS)}")
    connection.execute("COMMIT")


def _begin(connection: apsw.Connection) -> None:
    """Begin to write, also where another process takes minutes for the same steps: longer than other writes wait for each other."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except apsw.BusyError:
            if time.monotonic() > end:
                raise
            time.sleep(_PAUSE)
        else:
            return


def version_of(connection: apsw.Connection, path: str) -> int:
    """The step at which a database stands; 0 for an empty one.

    Raises:
        DatabaseError: as `migrate`.
    """
    owner = connection.pragma("application_id")
    version: int = connection.pragma("user_version")
    if owner != APPLICATION_ID and (owner or version or connection.execute("SELECT count(*) FROM sqlite_schema").get):
        raise DatabaseError(f"{path} is a database of another program; name another file with --database")
    if version > len(STEPS):
        raise DatabaseError(f"{path} was written by a newer mosaic-telemetry (tables {version}, this one knows {len(STEPS)}); upgrade this program")
    return version
