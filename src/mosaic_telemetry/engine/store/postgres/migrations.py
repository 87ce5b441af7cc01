"""The tables, as a list of steps. Steps are only ever added; a database stands at the step that its marker says."""

from __future__ import annotations

import asyncpg

from mosaic_telemetry.engine.errors import DatabaseError
from mosaic_telemetry.engine.store.postgres.connection import connect, named
from mosaic_telemetry.engine.store.postgres.narrowing import NARROW, TINY, WORDS, retyped

__all__ = ["LOCK", "STEPS", "migrate", "version_of"]

LOCK = 0x4D6F5465
"""The first half of the keys of our advisory locks ("MoTe"); the second tells them apart."""

_MIGRATING = 1
_OLDEST = 14

_FIRST = """
CREATE TABLE instances (
    number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    instance_id uuid NOT NULL UNIQUE,
    name text NOT NULL,
    created_ms bigint NOT NULL,
    local boolean NOT NULL DEFAULT false
);
CREATE UNIQUE INDEX one_local_instance ON instances (local) WHERE local;

CREATE TABLE api_keys (
    number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest bytea NOT NULL UNIQUE,
    instance integer NOT NULL REFERENCES instances (number),
    name text NOT NULL DEFAULT '',
    hint text NOT NULL DEFAULT '',
    created_ms bigint NOT NULL,
    expires_ms bigint,
    revoked_ms bigint
);
CREATE INDEX api_keys_of_instance ON api_keys (instance);

CREATE TABLE audit (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at_ms bigint NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    detail text NOT NULL
);

CREATE TABLE settings (name text PRIMARY KEY, value text NOT NULL);
CREATE TABLE rate_buckets (name text PRIMARY KEY, tokens double precision NOT NULL, at_ms bigint NOT NULL);

-- Every text that repeats stands here once; events name it by number.
CREATE TABLE texts (number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, text text NOT NULL UNIQUE);

-- An id is unique over all months, which an index of a partitioned table cannot say.
CREATE TABLE event_ids (event_id uuid PRIMARY KEY);

CREATE SEQUENCE event_sequence AS bigint;

-- Partitioned by the month of receipt. Wide columns first: PostgreSQL pads narrow ones.
CREATE TABLE events (
    event_id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT nextval('event_sequence'),
    received_ms bigint NOT NULL,
    timestamp_ms bigint NOT NULL,
    context_utilization_final double precision NOT NULL,
    instance integer NOT NULL,
    task_duration_ms integer NOT NULL,
    estimated_input_tokens integer NOT NULL,
    estimated_output_tokens integer NOT NULL,
    actual_input_tokens integer NOT NULL,
    actual_output_tokens integer NOT NULL,
    estimated_cost_usd_micros integer NOT NULL,
    actual_cost_usd_micros integer NOT NULL,
    task_type integer NOT NULL,
    complexity integer NOT NULL,
    harness integer NOT NULL,
    model integer NOT NULL,
    provider integer NOT NULL,
    outcome integer NOT NULL,
    quality_gates_run integer NOT NULL,
    quality_gates_failed integer NOT NULL,
    language integer,
    repo_size_category integer,
    standing smallint NOT NULL,
    context_compactions smallint NOT NULL,
    context_rotations smallint NOT NULL,
    retry_count smallint NOT NULL,
    quality_gate_passed boolean NOT NULL
) PARTITION BY RANGE (received_ms);
CREATE INDEX events_by_sequence ON events (sequence);
-- For clocks that lie: what falls into no month that was made.
CREATE TABLE events_other PARTITION OF events DEFAULT;

CREATE TABLE cell_state (
    version bigint NOT NULL,
    counted bigint NOT NULL,
    expired bigint NOT NULL,
    scored bigint NOT NULL,
    landmark integer NOT NULL,
    profile text NOT NULL
);
INSERT INTO cell_state VALUES (0, 0, 0, 0, 0, '');

CREATE TABLE cells (
    number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    level smallint NOT NULL,
    dimensions text NOT NULL,
    updated_ms bigint NOT NULL,
    instances integer NOT NULL,
    data bytea NOT NULL,
    UNIQUE (level, dimensions)
) WITH (fillfactor = 60);
ALTER TABLE cells ALTER COLUMN data SET STORAGE EXTERNAL;

CREATE TABLE shares (
    cell integer NOT NULL,
    instance integer NOT NULL,
    events bigint NOT NULL,
    updated_ms bigint NOT NULL,
    data bytea,
    PRIMARY KEY (cell, instance)
) WITH (fillfactor = 80);

CREATE TABLE daily_totals (
    day integer NOT NULL,
    task_type integer NOT NULL,
    model integer NOT NULL,
    provider integer NOT NULL,
    complexity integer NOT NULL,
    harness integer NOT NULL,
    events bigint NOT NULL,
    successes bigint NOT NULL,
    gates_passed bigint NOT NULL,
    priced bigint NOT NULL,
    priced_successes bigint NOT NULL,
    cost_usd_micros bigint NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    duration_ms bigint NOT NULL,
    PRIMARY KEY (day, task_type, model, provider, complexity, harness)
) WITH (fillfactor = 80);

CREATE TABLE records (
    target text NOT NULL,
    level integer NOT NULL,
    size integer NOT NULL,
    month integer NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (target, level, size, month)
);

CREATE TABLE intake (
    day integer NOT NULL,
    instance integer NOT NULL,
    result text NOT NULL,
    events bigint NOT NULL,
    PRIMARY KEY (day, instance, result)
);
"""

# Events in fewer bytes and, since sequences only grow, pages of their index that are filled to the last byte.
_TINY = ", ".join(f'ALTER COLUMN {name} TYPE "char" USING {name}::integer::"char"' for name in TINY)
_WORDS = ", ".join(f"'{word}'" for word in WORDS)
_SECOND = f"""
INSERT INTO texts (text) SELECT text FROM unnest(ARRAY[{_WORDS}]) AS known (text) WHERE NOT EXISTS (SELECT FROM texts WHERE texts.text = known.text);
DROP INDEX events_by_sequence;
DO $$ BEGIN
    IF (SELECT max(number) FROM texts) <= {NARROW} THEN
        {retyped("smallint")}, {_TINY};
    ELSE
        ALTER TABLE events {_TINY};
    END IF;
END $$;
CREATE INDEX events_by_sequence ON events (sequence) WITH (fillfactor = 100);
"""  # noqa: S608 - fixed names

STEPS = (_FIRST, _SECOND)


async def migrate(dsn: str) -> None:
    """Bring the database up to this program's tables, as a whole or not at all; several processes may try at once.

    Raises:
        DatabaseError: a newer version of this program made its tables, or PostgreSQL is too old.
    """
    connection = await connect(dsn)  # of its own: a step may take longer than other statements may
    try:
        if (server := connection.get_server_version()).major < _OLDEST:
            raise DatabaseError(f"{named(dsn)} is PostgreSQL {server.major}; {_OLDEST} or later is needed")
        if await version_of(connection, dsn) == len(STEPS):
            return
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1, $2)", LOCK, _MIGRATING)
            await connection.execute("CREATE TABLE IF NOT EXISTS mosaic_telemetry_tables (version integer NOT NULL)")
            version = await version_of(connection, dsn)
            for step in STEPS[version:]:
                await connection.execute(step)
            await connection.execute("DELETE FROM mosaic_telemetry_tables")
            await connection.execute("INSERT INTO mosaic_telemetry_tables VALUES ($1)", len(STEPS))
    finally:
        await connection.close()


async def version_of(connection: asyncpg.Connection, dsn: str) -> int:
    """The step at which a database stands; 0 for one without our tables.

    Raises:
        DatabaseError: a newer version of this program made its tables.
    """
    if await connection.fetchval("SELECT to_regclass('mosaic_telemetry_tables')") is None:
        return 0
    version: int = await connection.fetchval("SELECT coalesce(max(version), 0) FROM mosaic_telemetry_tables")
    if version > len(STEPS):
        raise DatabaseError(f"{named(dsn)} was written by a newer mosaic-telemetry (tables {version}, this one knows {len(STEPS)}); upgrade this program")
    return version
