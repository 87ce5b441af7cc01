"""Events go into PostgreSQL as bytes of our own making: whatever they hold comes out again as it went in."""

import asyncio
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.postgres import rows

from mosaic_telemetry.engine import open_engine
from mosaic_telemetry.engine.store.postgres.connection import connect
from mosaic_telemetry.engine.store.postgres.narrowing import CLOSED, NARROW, TINY, retyped
from mosaic_telemetry.engine.store.postgres.rows import COLUMNS, Layout

AMOUNT = st.integers(0, 2**31 - 1)
MOMENT = st.integers(0, 2**62)
KINDS = {
    "event_id": st.binary(min_size=16, max_size=16),
    "received_ms": MOMENT,
    "timestamp_ms": MOMENT,
    "standing": st.integers(0, 2**15 - 1),
    "quality_gate_passed": st.booleans(),
    "context_utilization_final": st.floats(allow_nan=False, allow_infinity=False),
    "language": st.none() | AMOUNT,
}


def row(narrow):
    word = st.integers(1, NARROW if narrow else 2**31 - 1)
    kinds = dict.fromkeys(COLUMNS, AMOUNT) | dict.fromkeys(CLOSED, word) | dict.fromkeys(TINY, st.integers(0, 100)) | KINDS
    return st.tuples(*(kinds[name] if name != "repo_size_category" else st.none() | word for name in COLUMNS))


@pytest.fixture(scope="module", params=[True, False], ids=["narrow", "wide"])
def table(request, postgres):
    url = postgres.database()
    with open_engine(url):
        pass
    if not request.param:
        rows(url, retyped("integer"))
    with asyncio.Runner() as runner:
        connection = runner.run(connect(url))
        yield request.param, lambda work: runner.run(work(connection))
        runner.run(connection.close())
    postgres.drop(url)


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_what_is_copied_in_reads_the_same(table, data):
    narrow, do = table
    given_rows = data.draw(st.lists(row(narrow), min_size=1, max_size=20, unique_by=lambda values: values[0]))
    columns = ", ".join(f"{name}::integer" if name in TINY else name for name in COLUMNS)

    async def there_and_back(connection):
        async def body():
            yield Layout(narrow=narrow).encode(given_rows)

        await connection.execute("TRUNCATE events")
        await connection.copy_to_table("events", source=body(), columns=COLUMNS, format="binary")
        return await connection.fetch(f"SELECT {columns} FROM events ORDER BY sequence")

    found = [tuple(value.bytes if isinstance(value, UUID) else value for value in values) for values in do(there_and_back)]
    assert found == given_rows
