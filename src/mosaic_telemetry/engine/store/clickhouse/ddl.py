"""The tables, defined once, as statements for one server and for a cluster.

On a cluster each table is replicated on every shard under the name `…_local`, and a Distributed table of the plain name stands
before them. Server names and shards come from the macros `{shard}` and `{replica}`, which every ClickHouse cluster defines.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mosaic_telemetry.engine.store.columns import GATES, PLAIN, TEXTS

__all__ = ["EVENTS", "EVENT_COLUMNS", "EVENT_IDS", "INCOMING", "TABLES", "Definition", "local_name", "quoted", "statements"]

_KINDS = {"quality_gate_passed": "UInt8", "context_utilization_final": "Float64"} | dict.fromkeys(
    ("context_compactions", "context_rotations", "retry_count"), "UInt16"
)
_MAY_BE_MISSING = ("language", "repo_size_category")

EVENT_COLUMNS: dict[str, str] = {
    "event_id": "FixedString(16)",
    "instance": "UInt32",
    "received_ms": "Int64",
    "timestamp_ms": "Int64",
    "standing": "UInt8",
    **{name: _KINDS.get(name, "Int64") for name in PLAIN},
    **{name: "LowCardinality(Nullable(String))" if name in _MAY_BE_MISSING else "LowCardinality(String)" for name in (*TEXTS, *GATES)},
}
"""What is kept of an event, with the types. An id is its 16 bytes: ClickHouse's own UUIDs are not ordered by time."""


class Definition(NamedTuple):
    """A table.

    Attributes:
        name: by which it is read and written.
        columns: with their types.
        order: of its rows, which is its primary key too.
        shard: what decides on which shard of a cluster a row lies.
        granularity: rows that are read for one.
        by_month: whether it is partitioned by the month of receipt, and forgets by itself where that is wished.
        indexes: further ones.
    """

    name: str
    columns: dict[str, str]
    order: Sequence[str]
    shard: str
    granularity: int = 8192
    by_month: bool = True
    indexes: Sequence[str] = ()


# A block lies on one shard, in one part: so it is seen as a whole or not at all.
INCOMING = Definition("incoming", {"block": "FixedString(16)", "place": "UInt32", **EVENT_COLUMNS}, ("block", "place"), "block", by_month=False)
EVENTS = Definition(
    "events", {"sequence": "Int64", **EVENT_COLUMNS}, ("sequence",), "event_id", indexes=("INDEX by_instance instance TYPE bloom_filter GRANULARITY 4",)
)
EVENT_IDS = Definition("event_ids", {"event_id": "FixedString(16)", "sequence": "Int64", "received_ms": "Int64"}, ("event_id",), "event_id", 512)

TABLES = (INCOMING, EVENTS, EVENT_IDS)

_DAY = "fromUnixTimestamp64Milli(received_ms, 'UTC')"
_CODECS = {"sequence": " CODEC(Delta, ZSTD)", "received_ms": " CODEC(Delta, ZSTD)", "timestamp_ms": " CODEC(Delta, ZSTD)"}
_TOKENS = 10_000  # of the last inserts, by which one that is tried again is known
_DURABLE = "fsync_after_insert = 1, fsync_part_directory = 1"  # without, an insert would be acknowledged that a power failure loses


def statements(cluster: str | None = None, ttl_days: int | None = None) -> list[str]:
    """What makes the tables where they are missing.

    Args:
        cluster: the name of a cluster, or None for one server.
        ttl_days: days after receipt from which on ClickHouse may drop events by itself.
    """
    made = []
    for table in TABLES:
        made.append(_stored(table, cluster, ttl_days))
        if cluster is not None:
            made.append(_distributed(table, cluster))
    return made


def local_name(table: Definition, cluster: str | None) -> str:
    """Where the rows of a table lie, on each server; with ` ON CLUSTER` behind it where that is a cluster's."""
    return table.name if cluster is None else f"{table.name}_local ON CLUSTER {quoted(cluster)}"


def quoted(text: str) -> str:
    """A text as a literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _stored(table: Definition, cluster: str | None, ttl_days: int | None) -> str:
    engine = "MergeTree" if cluster is None else "ReplicatedMergeTree('/clickhouse/tables/{database}/{table}/{shard}', '{replica}')"
    window = "non_replicated_deduplication_window" if cluster is None else "replicated_deduplication_window"
    columns = [f"    {name} {kind}{_CODECS.get(name, '')}" for name, kind in table.columns.items()]
    lines = [
        f"CREATE TABLE IF NOT EXISTS {local_name(table, cluster)} (",
        ",\n".join([*columns, *(f"    {index}" for index in table.indexes)]),
        f") ENGINE = {engine}",
        *([f"PARTITION BY toYYYYMM({_DAY})"] if table.by_month else []),
        f"ORDER BY ({', '.join(table.order)})",
        *([f"TTL toDateTime({_DAY}) + INTERVAL {ttl_days} DAY"] if table.by_month and ttl_days is not None else []),
        f"SETTINGS index_granularity = {table.granularity}, {window} = {_TOKENS}, {_DURABLE}",
    ]
    return "\n".join(lines)


def _distributed(table: Definition, cluster: str) -> str:
    on = f"CREATE TABLE IF NOT EXISTS {table.name} ON CLUSTER {quoted(cluster)} AS {table.name}_local"
    return f"{on}\nENGINE = Distributed({quoted(cluster)}, currentDatabase(), {table.name}_local, sipHash64({table.shard}))"
