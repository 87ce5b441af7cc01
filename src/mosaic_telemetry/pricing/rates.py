"""What one model's tokens cost, worked out from genai-prices once and then only multiplied.

Asking it for each call takes a third of a millisecond, which is more than reading the call. Within a tier its price is a fixed
amount and a rate for each class of tokens: these are found by asking it for one class after another. Law: the figure is equal to
the library's own, to the last digit. It is held against one of these before it is used; where they differ, where the library
refuses a class, and for what is seldom (a special price, audio, images) the library is asked each time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from mosaic_telemetry.pricing.usage import TokenUsage

if TYPE_CHECKING:
    from genai_prices import Usage
    from genai_prices.types import ModelInfo, ModelPrice, Provider

__all__ = ["Listed", "Rates", "rates_of"]

_CLASSES = tuple(item.name for item in fields(TokenUsage))
_AMONG_INPUT = ("uncached_input", "cache_read", "cache_write_5m", "cache_write_1h")
_MOST = 10**12  # tokens of a class; far from where 28 digits round
_FAR = 1_000_000  # tokens above the last tier's start


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Prices within one tier, in US dollars.

    Attributes:
        call: of a call, whatever it uses.
        tokens: of one token of each class, in the order of `TokenUsage`'s fields.
    """

    call: Decimal
    tokens: tuple[Decimal, ...]

    def cost(self, usage: TokenUsage) -> Decimal:
        """US dollars of one call."""
        plain, read, written, hour, output, search = self.tokens
        cost = self.call + usage.uncached_input * plain + usage.cache_read * read + usage.cache_write_5m * written + usage.cache_write_1h * hour
        return cost + usage.output * output + usage.web_searches * search


class Listed:
    """A model in the price list.

    Args:
        provider: whose price it is.
        info: the model.
    """

    def __init__(self, provider: Provider, info: ModelInfo) -> None:
        self.info = info
        self._provider = provider
        self._tiers: dict[int, tuple[int, ...]] = {}
        self._rates: dict[tuple[int, int], Rates | None] = {}

    def cost(self, usage: TokenUsage, at: datetime | None, context: Mapping[str, str] | None, details: Mapping[str, int] | None) -> Decimal:
        """US dollars of one call; the arguments are those of `price_call`.

        Raises:
            ValueError: the library refuses the usage.
            LookupError: it has no price for it.
        """
        moment = at or datetime.now(UTC)
        counts = (usage.uncached_input, usage.cache_read, usage.cache_write_5m, usage.cache_write_1h, usage.output, usage.web_searches)
        usual = not context and not details and min(counts) >= 0 and max(counts) <= _MOST
        rates = self._rates_at(moment, usage.input) if usual else None
        if rates is not None:
            return rates.cost(usage)
        calculation = self.info.calc_price(library_usage(usage, details), self._provider, genai_request_timestamp=moment, price_context=context)
        return calculation.total_price

    def _rates_at(self, moment: datetime, tokens: int) -> Rates | None:
        prices = self.info.get_prices(moment)
        key = id(prices)  # the list keeps it for as long as this process lives
        if key not in self._tiers:
            self._tiers[key] = tiers_of(prices)
        place = (key, bisect_left(self._tiers[key], tokens))
        if place not in self._rates:
            self._rates[place] = rates_of(prices, tokens)
        return self._rates[place]


def library_usage(usage: TokenUsage, details: Mapping[str, int] | None = None) -> Usage:
    """The usage as genai-prices takes it: its input includes the cache, its cache writes those for an hour; what is not there is 0."""
    from genai_prices import Usage

    counts = {
        "input_tokens": usage.input,
        "cache_read_tokens": usage.cache_read,
        "cache_write_tokens": usage.cache_write,
        "cache_write_1h_tokens": usage.cache_write_1h,
        "output_tokens": usage.output,
        "web_searches": usage.web_searches,
        **(details or {}),
    }
    return Usage(**{name: count for name, count in counts.items() if count})


def tiers_of(prices: ModelPrice) -> tuple[int, ...]:
    """The input tokens above which another tier begins, in rising order."""
    from genai_prices.types import TieredPrices

    return tuple(sorted({tier.start for price in vars(prices).values() if isinstance(price, TieredPrices) for tier in price.tiers}))


def rates_of(prices: ModelPrice, tokens: int) -> Rates | None:
    """The rates of the tier that a call with so many input tokens falls into; None where the prices are of another form.

    Args:
        prices: a model's prices at one time.
        tokens: all input of the call, which alone decides on its tier.
    """
    starts = tiers_of(prices)
    tier = bisect_left(starts, tokens)
    least = starts[tier - 1] + 1 if tier else 1
    most = starts[tier] if tier < len(starts) else least + _FAR

    def ask(**counts: int) -> Decimal:
        return prices.calc_price(library_usage(TokenUsage(**counts)))["total_price"]

    try:
        call = ask()
        plain = ask(uncached_input=least)
        rates = []
        for name in _CLASSES:
            more = ask(**{name: least}) - call if name in _AMONG_INPUT else ask(uncached_input=least, **{name: least}) - plain
            rates.append(more / least)
        found = Rates(call=call, tokens=tuple(rates))
        mixed = TokenUsage(
            uncached_input=most - most // 4 - most // 5 - most // 7,
            cache_read=most // 4,
            cache_write_5m=most // 5,
            cache_write_1h=most // 7,
            output=most // 3 + 1,
            web_searches=2,
        )
        same = prices.calc_price(library_usage(mixed))["total_price"] == found.cost(mixed)
    except (ArithmeticError, LookupError, ValueError):
        return None
    return found if same and bisect_left(starts, least) == tier else None
