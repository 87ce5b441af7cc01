"""A person's own prices go before the library's, and a file that is wrong says what is."""

from decimal import Decimal
from pathlib import Path

import pytest

from mosaic_telemetry.pricing import Price, PriceFileError, PriceSource, TokenUsage, load_prices, price_call, total_price, usual_price_file

USAGE = TokenUsage(uncached_input=1_000_000, cache_read=2_000_000, cache_write_5m=3_000_000, cache_write_1h=4_000_000, output=5_000_000)
UNKNOWN = Price(None, PriceSource.UNKNOWN)
TEXT = """
[[model]]
name = "in-house-*"
input = 1
output = 10

[[model]]
name = "Claude-Sonnet-4-5"
provider = "openrouter"
input = 2.5
output = 12.5
cache_read = 0.25
cache_write = 3
cache_write_1h = 5

[[model]]
name = "claude-*"
subscription = true

[[model]]
name = "local"
input = 0
output = 0
"""


@pytest.fixture
def prices(tmp_path):
    path = tmp_path / "prices.toml"
    path.write_text(TEXT)
    return load_prices(path)


def test_its_prices_are_taken_for_the_models_it_names(prices):
    found = prices.price("in-house-7b", "custom", USAGE, UNKNOWN)
    assert found == Price(Decimal(10 + 50), PriceSource.PRICED)
    assert found.origin.endswith("prices.toml")
    found = prices.price("anthropic/claude-sonnet-4-5", "openrouter", USAGE, UNKNOWN)
    assert found.usd == Decimal("2.5") + Decimal("0.5") + 9 + 20 + Decimal("62.5")
    assert prices.price("local", "ollama", USAGE, UNKNOWN) == Price(Decimal(0), PriceSource.PRICED)


def test_what_it_does_not_name_costs_what_it_did(prices):
    listed = price_call("gpt-5", USAGE)
    assert prices.price("gpt-5", "openai", USAGE, listed) is listed
    assert listed.origin.startswith("genai-prices ")


def test_a_subscription_is_marked_and_shows_what_the_list_would_ask(prices):
    listed = price_call("claude-sonnet-4-5", USAGE)
    found = prices.price("claude-sonnet-4-5", "anthropic", USAGE, listed)
    assert (found.usd, found.source, found.origin) == (listed.usd, PriceSource.SUBSCRIPTION, listed.origin)
    assert prices.price("claude-nobody-knows", "anthropic", USAGE, UNKNOWN) == UNKNOWN


def test_a_sum_names_every_list_once(prices):
    one, other = prices.price("in-house-7b", "", USAGE, UNKNOWN), price_call("gpt-5", USAGE)
    assert total_price([one, other, one]).origin == f"{one.origin}, {other.origin}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x", "is no TOML"),
        ("[prices]\na = 1", "it holds 'prices', but only [[model]] entries are known"),
        ("model = 1", "only [[model]] entries are known"),
        ("[[model]]\ninput = 1\noutput = 2", "entry 1 ('without a name'): name is missing"),
        ("[[model]]\nname = 'a'\ninput = 1", "input and output belong together"),
        ("[[model]]\nname = 'a'", "give input and output, or subscription = true"),
        ("[[model]]\nname = 'a'\ninput = -1\noutput = 2", "input must be US dollars per million tokens, from 0 to 100,000"),
        ("[[model]]\nname = 'a'\ninput = nan\noutput = 2", "input must be US dollars"),
        ("[[model]]\nname = 'a'\ninput = '1'\noutput = true", "input must be US dollars per million tokens, from 0 to 100,000; output must"),
        ("[[model]]\nname = 'a'\nsubscription = 'yes'", "subscription must be true or false"),
        ("[[model]]\nname = 'a'\nprice = 1\nsubscription = true", "'price' is not known"),
        ("[[model]]\nname = 5\nsubscription = true", "name must be text"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, said):
    path = tmp_path / "prices.toml"
    path.write_text(text)
    with pytest.raises(PriceFileError) as caught:
        load_prices(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(PriceFileError, match="cannot be read: No such file"):
        load_prices(tmp_path / "none.toml")


def test_the_usual_place_is_in_the_configuration_directory():
    assert usual_price_file({"XDG_CONFIG_HOME": "/c"}, Path("/h")) == Path("/c/mosaic-telemetry/prices.toml")
    assert usual_price_file({}, Path("/h")).is_relative_to("/h")
