"""Prices of calls, against figures checked by hand and against 1,112 bodies of real API answers."""

import gzip
import json
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.transcripts import test_data

from mosaic_telemetry.pricing import Price, PriceSource, TokenUsage, candidates, context_window, price_call, total_price

AT = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("model", "usage", "dollars"),
    [
        ("claude-sonnet-4-5", TokenUsage(uncached_input=5_000, cache_read=80_000, cache_write_5m=15_000, output=2_000), "0.12525"),
        ("gpt-5", TokenUsage(uncached_input=20_000, cache_read=80_000, output=2_000), "0.055"),
        ("gemini-2.5-pro", TokenUsage(uncached_input=50_000, cache_read=250_000, output=5_000), "0.2625"),
        ("claude-sonnet-4-5", TokenUsage(uncached_input=50_000, cache_read=250_000, output=5_000), "0.5625"),
        # an hour in the cache costs twice the input price, five minutes 1.25 times
        ("claude-sonnet-4-5", TokenUsage(cache_write_1h=1_000), "0.006"),
        ("claude-sonnet-4-5", TokenUsage(cache_write_5m=1_000), "0.00375"),
        ("claude-sonnet-4-5", TokenUsage(cache_write_5m=1_000, cache_write_1h=1_000), "0.00975"),
        ("claude-sonnet-4-5", TokenUsage(web_searches=3), "0.03"),
        ("claude-sonnet-4-5", TokenUsage(), "0"),
    ],
)
def test_price_of_a_call_is_the_checked_one(model, usage, dollars):
    price = price_call(model, usage, at=AT)
    assert price == Price(Decimal(dollars), PriceSource.PRICED)
    assert price.micros == int(Decimal(dollars) * 1_000_000)


@pytest.mark.parametrize(
    "name",
    [
        "claude-sonnet-4-5-20250929",
        "anthropic/claude-sonnet-4-5",
        "anthropic/claude-sonnet-4.5",
        "openrouter/anthropic/claude-sonnet-4.5",
        "vertex_ai/claude-sonnet-4-5@20250929",
        "claude-sonnet-4-5@20250929",
        "litellm_proxy/anthropic/claude-sonnet-4-5",
        "Claude-Sonnet-4-5 ",
        "claude-sonnet-4-5[1m]",
        "claude-sonnet-4-5-latest",
    ],
)
def test_a_model_is_found_under_all_its_names(name):
    assert price_call(name, TokenUsage(uncached_input=1_000, output=100), at=AT).usd == Decimal("0.0045")


@pytest.mark.parametrize(
    "name",
    [
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "arn:aws:bedrock:us-east-1:1234:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    ],
)
def test_a_cloud_has_its_own_price(name):
    assert price_call(name, TokenUsage(uncached_input=1_000, output=100), at=AT).usd == Decimal("0.00495")


@pytest.mark.parametrize("name", ["", "/", "<synthetic>", "claude-opus-99", "my-own-model", "a/b/c", "openrouter/", "\ud800", "llama3.1:8b"])
def test_an_unknown_model_has_no_price_which_is_not_zero(name):
    price = price_call(name, TokenUsage(uncached_input=1_000), at=AT)
    assert price.usd is None
    assert price.micros is None
    assert price.source is PriceSource.UNKNOWN
    assert context_window(name) is None


def test_a_special_price_that_a_model_does_not_have_is_unknown():
    usage = TokenUsage(uncached_input=1_000)
    assert price_call("claude-sonnet-4-5", usage, at=AT, context={"speed": "fast"}).usd is None
    assert price_call("claude-sonnet-4-5", usage, at=AT, context={}).usd == Decimal("0.003")


def test_prices_are_those_of_the_time():
    # The long-context surcharge of this model was dropped later.
    usage = TokenUsage(uncached_input=300_000)
    early = price_call("claude-opus-4-6", usage, at=datetime(2026, 2, 10, tzinfo=UTC)).usd
    late = price_call("claude-opus-4-6", usage, at=AT).usd
    assert early is not None
    assert late is not None
    assert early > late


def test_each_call_has_its_own_tier():
    half, whole = TokenUsage(uncached_input=150_000), TokenUsage(uncached_input=300_000)
    apart = total_price([price_call("claude-sonnet-4-5", half, at=AT)] * 2)
    together = price_call("claude-sonnet-4-5", whole, at=AT)
    assert apart.usd == Decimal("0.9")
    assert together.usd == Decimal("1.8")


def test_a_sum_with_an_unknown_price_is_unknown():
    known = Price(Decimal(1), PriceSource.PRICED)
    assert total_price([known, Price(None, PriceSource.UNKNOWN), known]).usd is None
    assert total_price([]) == Price(Decimal(0), PriceSource.PRICED)
    assert total_price([Price(Decimal(1), PriceSource.REPORTED)] * 2) == Price(Decimal(2), PriceSource.REPORTED)
    assert total_price([Price(Decimal(1), PriceSource.REPORTED), known]) == Price(Decimal(2), PriceSource.PRICED)


def test_small_amounts_are_rounded_once_and_not_per_call():
    price = Price(Decimal("0.0000004"), PriceSource.PRICED)
    assert price.micros == 0
    assert total_price([price] * 10).micros == 4


COUNTS = st.integers(min_value=0, max_value=1_000_000)
USAGES = st.builds(TokenUsage, uncached_input=COUNTS, cache_read=COUNTS, cache_write_5m=COUNTS, cache_write_1h=COUNTS, output=COUNTS)


@settings(max_examples=40)
@given(USAGES, USAGES)
def test_usage_adds_up_in_every_class(one, other):
    both = one + other
    assert both.input == one.input + other.input
    assert both.cache_write == one.cache_write + other.cache_write
    assert both.output == one.output + other.output
    assert one + TokenUsage() == one


@settings(max_examples=40)
@given(USAGES, USAGES)
def test_more_tokens_never_cost_less(one, other):
    less = price_call("claude-sonnet-4-5", one, at=AT).usd
    more = price_call("claude-sonnet-4-5", one + other, at=AT).usd
    assert less is not None
    assert more is not None
    assert 0 <= less <= more


@given(st.text(max_size=60))
@settings(max_examples=60)
def test_any_text_has_a_finite_list_of_names(model):
    names = candidates(model)
    assert len(names) == len(set(names)) < 400
    assert all(name for name, _ in names)


def test_pricing_is_lazy_and_never_uses_the_network():
    code = """
import sys
import mosaic_telemetry.pricing as pricing
assert "genai_prices" not in sys.modules
events = []
sys.addaudithook(lambda event, args: events.append(event) if event.startswith(("socket.connect", "socket.getaddrinfo", "socket.gethostby")) else None)
assert pricing.price_call("claude-sonnet-4-5", pricing.TokenUsage(output=1)).usd
assert "genai_prices" in sys.modules
import threading
assert threading.active_count() == 1, threading.enumerate()
assert not events, events
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_prices_of_recorded_answers_of_the_anthropic_api():
    path = test_data("api_usage", "genai_prices_usages.jsonl.gz")
    compared = 0
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            expected = _anthropic_price(entry)
            if expected is None:
                continue
            raw = entry["body"]["usage"]
            split = raw.get("cache_creation") or {}
            hour = split.get("ephemeral_1h_input_tokens", 0)
            usage = TokenUsage(
                uncached_input=raw["input_tokens"],
                cache_read=raw.get("cache_read_input_tokens") or 0,
                cache_write_5m=(raw.get("cache_creation_input_tokens") or 0) - hour,
                cache_write_1h=hour,
                output=raw["output_tokens"],
            )
            price = price_call(entry["model"], usage)
            assert price.usd == expected, entry["body"]["file"]
            compared += 1
    assert compared > 100


def _anthropic_price(entry):
    """What the body costs at Anthropic, as the recording says; None for a body of another API or with searches in it."""
    usage = entry["body"].get("usage") or {}
    if "claude" not in (entry["body"].get("model") or "") or "output_tokens" not in usage or (usage.get("server_tool_use") or {}).get("web_search_requests"):
        return None
    for extracted in entry["extracted"]:
        for extractor in extracted["extractors"]:
            if (extractor["provider_id"], extractor["api_flavor"]) == ("anthropic", "default") and "input_price" in extractor:
                return Decimal(extractor["input_price"]) + Decimal(extractor["output_price"])
    return None
