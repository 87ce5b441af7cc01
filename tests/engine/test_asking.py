import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mosaic_telemetry.engine import BrokenJsonError, FormError
from mosaic_telemetry.engine.asking import read_queries, read_quickly
from mosaic_telemetry.engine.decode import parse_json
from mosaic_telemetry.schema import MAX_BATCH_QUERIES, BatchPredictionRequest, ValidationError, from_dict

QUERY = {"task_type": "testing", "model": "one", "provider": "anthropic", "complexity": "low"}

oddities = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 101),
    st.floats(allow_nan=False),
    st.text("aZ0 -\0\né😀", max_size=101),
    st.sampled_from(["low", "openai", "TESTING", "a\0b", "\ud800", "x" * 100, "x" * 101, ""]),
    st.just({}),
)
queries = st.dictionaries(st.sampled_from([*QUERY, "unknown"]), oddities, max_size=2).map(lambda changes: QUERY | changes)


@given(st.lists(queries, max_size=3), st.booleans())
@example([QUERY] * MAX_BATCH_QUERIES, True)
@example([QUERY] * (MAX_BATCH_QUERIES + 1), True)
@example([QUERY | {"model": "\0"}], True)
@settings(max_examples=60)
def test_what_is_read_quickly_the_schema_takes_with_the_same_values(batch, ascii_only):
    body = json.dumps({"queries": batch}, ensure_ascii=ascii_only).encode(errors="surrogatepass")
    quick = read_quickly(body)
    try:
        slow = list(from_dict(BatchPredictionRequest, parse_json(body)).queries)
    except (ValidationError, BrokenJsonError):
        slow = None
        with pytest.raises((FormError, BrokenJsonError)):
            read_queries(body)
    else:
        assert list(read_queries(body)) == slow
    if quick is not None:
        assert list(quick) == slow
        assert [type(query.provider) for query in quick] == [type(query.provider) for query in slow]


def test_an_ordinary_batch_goes_the_fast_way():
    assert len(read_quickly(json.dumps({"queries": [QUERY] * MAX_BATCH_QUERIES}).encode())) == MAX_BATCH_QUERIES


@pytest.mark.parametrize(
    "body",
    [
        b'{"queries": [',
        b'{"queries": [], "x": "\x01"}',
        b'{"queries": [%s], "x": "a\nb"}',
        b'{"queries": [%s], "x": "\xff"}',
        b'{"queries": [%s], "x": NaN}',
        b'{"queries": [%s], "x": 01}',
        b'{"queries": [%s], "x": 1.}',
        b'{"queries": [%s], "x": tru}',
        b'{"queries": [%s], "x": "\\q"}',
        b'{"queries": [%s], "x": [1,]}',
        b'{"queries": [%s]} x',
    ],
)
def test_what_is_no_json_is_broken_wherever_it_is_broken(body):
    with pytest.raises(BrokenJsonError):
        read_queries(body.replace(b"%s", json.dumps(QUERY).encode()))
