"""A price from rates is genai-prices' own, to the last digit: for every model in it, in every tier, at all times."""

import gzip
import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelPrice, Tier, TieredPrices
from hypothesis import given, settings
from hypothesis import strategies as st
from support.transcripts import test_data

from mosaic_telemetry.pricing import PriceSource, TokenUsage, price_call, read_answer
from mosaic_telemetry.pricing.rates import Listed, library_usage, rates_of, tiers_of

AT = datetime(2026, 11, 20, tzinfo=UTC)
MODELS = [(provider, info) for provider in get_snapshot().providers for info in provider.models]
TIERED = [(provider, info) for provider, info in MODELS if tiers_of(info.get_prices(AT))]


def asked(provider, info, usage, at):
    """What the library itself says."""
    return info.calc_price(library_usage(usage), provider, genai_request_timestamp=at).total_price


def of_input(tokens):
    """A call with so many input tokens, some of every class."""
    return TokenUsage(
        uncached_input=tokens - tokens // 2 - tokens // 7 - tokens // 11,
        cache_read=tokens // 2,
        cache_write_5m=tokens // 7,
        cache_write_1h=tokens // 11,
        output=tokens // 3 + 17,
        web_searches=tokens % 4,
    )


def test_every_model_has_rates_and_they_give_the_librarys_figure():
    assert len(MODELS) > 1000
    for provider, info in MODELS:
        usage = of_input(12_347)
        assert rates_of(info.get_prices(AT), usage.input) is not None, (provider.id, info.id)
        assert Listed(provider, info).cost(usage, AT, None, None) == asked(provider, info, usage, AT), (provider.id, info.id)


def test_a_tier_begins_where_the_library_has_it_begin():
    assert len(TIERED) > 20
    for provider, info in TIERED:
        listed = Listed(provider, info)
        for start in tiers_of(info.get_prices(AT)):
            for tokens in (start - 1, start, start + 1):
                usage = of_input(tokens)
                assert usage.input == tokens
                assert listed.cost(usage, AT, None, None) == asked(provider, info, usage, AT), (provider.id, info.id, tokens)


COUNTS = st.one_of(st.integers(0, 1_000_000), st.sampled_from([0, 1, 199_999, 200_000, 200_001, 272_000, 272_001, 10**12]))
USAGES = st.builds(
    TokenUsage, **dict.fromkeys(["uncached_input", "cache_read", "cache_write_5m", "cache_write_1h", "output"], COUNTS), web_searches=st.integers(0, 9)
)
TIMES = st.datetimes(datetime(2023, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone


@settings(max_examples=150)
@given(st.sampled_from(TIERED) | st.sampled_from(MODELS), st.lists(st.tuples(USAGES, TIMES), min_size=1, max_size=3))
def test_any_usage_at_any_time_costs_what_the_library_says(model, calls):
    listed = Listed(*model)
    for usage, at in calls:
        assert listed.cost(usage, at, None, None) == asked(*model, usage, at)


def test_recorded_answers_cost_what_the_library_says():
    path = test_data("api_usage", "genai_prices_usages.jsonl.gz")
    compared = 0
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            answered = read_answer(json.loads(line)["body"])
            if answered is None or not answered.vendor or not answered.model:
                continue
            try:
                provider, info = get_snapshot().find_provider_model(answered.model, None, answered.vendor, None)
            except LookupError:
                continue
            assert Listed(provider, info).cost(answered.usage, AT, None, None) == asked(provider, info, answered.usage, AT), answered
            compared += 1
    assert compared > 900


@pytest.mark.parametrize(
    "prices",
    [
        ModelPrice(input_mtok=TieredPrices(base=Decimal(1), tiers=[Tier(start=0, price=Decimal(2))])),
        ModelPrice(input_mtok=Decimal(-1)),
        ModelPrice(input_mtok=Decimal(1) / 3, cache_read_mtok=Decimal(1) / 7, output_mtok=Decimal(1) / 9),
    ],
    ids=["a tier from the first token on", "a price that the library refuses", "more digits than can be multiplied exactly"],
)
def test_where_rates_do_not_give_the_librarys_figure_there_are_none(prices):
    assert rates_of(prices, 0) is None


def test_a_usage_that_the_library_refuses_has_no_price():
    price = price_call("claude-sonnet-4-5", TokenUsage(uncached_input=-1_000, output=10), at=AT)
    assert price.source is PriceSource.UNKNOWN
