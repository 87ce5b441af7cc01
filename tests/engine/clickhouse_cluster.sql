CREATE TABLE IF NOT EXISTS incoming_local ON CLUSTER 'main' (
    block FixedString(16),
    place UInt32,
    event_id FixedString(16),
    instance UInt32,
    received_ms Int64 CODEC(Delta, ZSTD),
    timestamp_ms Int64 CODEC(Delta, ZSTD),
    standing UInt8,
    task_duration_ms Int64,
    estimated_input_tokens Int64,
    estimated_output_tokens Int64,
    actual_input_tokens Int64,
    actual_output_tokens Int64,
    estimated_cost_usd_micros Int64,
    actual_cost_usd_micros Int64,
    quality_gate_passed UInt8,
    context_compactions UInt16,
    context_rotations UInt16,
    context_utilization_final Float64,
    retry_count UInt16,
    task_type LowCardinality(String),
    complexity LowCardinality(String),
    harness LowCardinality(String),
    model LowCardinality(String),
    provider LowCardinality(String),
    outcome LowCardinality(String),
    language LowCardinality(Nullable(String)),
    repo_size_category LowCardinality(Nullable(String)),
    quality_gates_run LowCardinality(String),
    quality_gates_failed LowCardinality(String)
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{database}/{table}/{shard}', '{replica}')
ORDER BY (block, place)
SETTINGS index_granularity = 8192, replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS incoming ON CLUSTER 'main' AS incoming_local
ENGINE = Distributed('main', currentDatabase(), incoming_local, sipHash64(block));

CREATE TABLE IF NOT EXISTS events_local ON CLUSTER 'main' (
    sequence Int64 CODEC(Delta, ZSTD),
    event_id FixedString(16),
    instance UInt32,
    received_ms Int64 CODEC(Delta, ZSTD),
    timestamp_ms Int64 CODEC(Delta, ZSTD),
    standing UInt8,
    task_duration_ms Int64,
    estimated_input_tokens Int64,
    estimated_output_tokens Int64,
    actual_input_tokens Int64,
    actual_output_tokens Int64,
    estimated_cost_usd_micros Int64,
    actual_cost_usd_micros Int64,
    quality_gate_passed UInt8,
    context_compactions UInt16,
    context_rotations UInt16,
    context_utilization_final Float64,
    retry_count UInt16,
    task_type LowCardinality(String),
    complexity LowCardinality(String),
    harness LowCardinality(String),
    model LowCardinality(String),
    provider LowCardinality(String),
    outcome LowCardinality(String),
    language LowCardinality(Nullable(String)),
    repo_size_category LowCardinality(Nullable(String)),
    quality_gates_run LowCardinality(String),
    quality_gates_failed LowCardinality(String),
    INDEX by_instance instance TYPE bloom_filter GRANULARITY 4
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{database}/{table}/{shard}', '{replica}')
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(received_ms, 'UTC'))
ORDER BY (sequence)
TTL toDateTime(fromUnixTimestamp64Milli(received_ms, 'UTC')) + INTERVAL 500 DAY
SETTINGS index_granularity = 8192, replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS events ON CLUSTER 'main' AS events_local
ENGINE = Distributed('main', currentDatabase(), events_local, sipHash64(event_id));

CREATE TABLE IF NOT EXISTS event_ids_local ON CLUSTER 'main' (
    event_id FixedString(16),
    sequence Int64 CODEC(Delta, ZSTD),
    received_ms Int64 CODEC(Delta, ZSTD)
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{database}/{table}/{shard}', '{replica}')
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(received_ms, 'UTC'))
ORDER BY (event_id)
TTL toDateTime(fromUnixTimestamp64Milli(received_ms, 'UTC')) + INTERVAL 500 DAY
SETTINGS index_granularity = 512, replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS event_ids ON CLUSTER 'main' AS event_ids_local
ENGINE = Distributed('main', currentDatabase(), event_ids_local, sipHash64(event_id));
