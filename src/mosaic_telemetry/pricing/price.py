"""The price of one call, and of several."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from functools import lru_cache

from mosaic_telemetry.pricing.names import candidates
from mosaic_telemetry.pricing.rates import Listed
from mosaic_telemetry.pricing.usage import TokenUsage

__all__ = ["Price", "PriceSource", "context_window", "price_call", "total_price"]


class PriceSource(StrEnum):
    """Where a price comes from."""

    REPORTED = "reported"  # the harness wrote it down
    PRICED = "priced"  # computed from the usage and a price list
    SUBSCRIPTION = "subscription"  # covered by a plan; the figure is what the list would ask
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Price:
    """An amount of money.

    Attributes:
        usd: US dollars, exact; None where the price is not known, which is never the same as 0.
        source: where the figure comes from.
        origin: the price list that it was computed from; empty where it was not. It is no part of what makes two prices equal.
    """

    usd: Decimal | None
    source: PriceSource
    origin: str = field(default="", compare=False)

    @property
    def micros(self) -> int | None:
        """Micro-dollars, rounded to the nearest; None where the price is not known."""
        return None if self.usd is None else int((self.usd * 1_000_000).to_integral_value(ROUND_HALF_EVEN))


_UNKNOWN = Price(None, PriceSource.UNKNOWN)
_NOTHING = Price(Decimal(0), PriceSource.PRICED)


def price_call(  # noqa: PLR0913 - what a price depends on; all but two have a default and a name
    model: str,
    usage: TokenUsage,
    *,
    at: datetime | None = None,
    context: Mapping[str, str] | None = None,
    vendor: str = "",
    details: Mapping[str, int] | None = None,
) -> Price:
    """The price of one call: its own tier, its cache reads, and its cache writes by how long they are kept.

    Prices hold per call and never for a sum: two calls of 150,000 tokens cost less than one of 300,000 where a price has tiers.

    Args:
        model: the model as the harness writes it, router prefixes and dates included.
        usage: the tokens of this one call.
        at: when the call was made, with a zone; prices change. Now, where it is not given.
        context: what selects a special price, such as `{"speed": "fast"}`; a model that has none for it is not priced.
        vendor: whose price it is, as genai-prices names the provider; by the model's name where it is not given.
        details: more classes of tokens that may have their own price (audio, images, …), as genai-prices names them.

    Returns:
        The price; unknown for a model that no list has.
    """
    entry = _resolve(model, vendor)
    if entry is None:
        return _UNKNOWN
    variants = entry.info.price_variants or ()
    if context and not any(all(context.get(key) == value for key, value in variant.when.items()) for variant in variants):
        return _UNKNOWN
    try:
        cost = entry.cost(usage, at, context, details)
    except (LookupError, ValueError):
        return _UNKNOWN
    return Price(cost, PriceSource.PRICED, _library())


def total_price(prices: Iterable[Price]) -> Price:
    """The sum of several prices, rounded nowhere. A sum with one unknown price in it is unknown; of none, it is 0."""
    total = _NOTHING
    first = True
    for price in prices:
        if price.usd is None or total.usd is None:
            return _UNKNOWN
        source = price.source if first or price.source is total.source else PriceSource.PRICED
        origins = dict.fromkeys(filter(None, (*total.origin.split(", "), price.origin)))
        total = Price(total.usd + price.usd, source, ", ".join(origins))
        first = False
    return total


def context_window(model: str) -> int | None:
    """Tokens that fit into the model's context, as its vendor advertises; None where that is not known."""
    entry = _resolve(model)
    return None if entry is None else entry.info.context_window


@lru_cache(maxsize=1)
def _library() -> str:
    from importlib.metadata import version

    return f"genai-prices {version('genai-prices')}"


@lru_cache(maxsize=1024)
def _resolve(model: str, vendor: str = "") -> Listed | None:
    from genai_prices.data_snapshot import get_snapshot

    snapshot = get_snapshot()
    named = candidates(model)
    for name, provider in [*((name, vendor) for name, _ in named if vendor), *named]:
        try:
            return Listed(*snapshot.find_provider_model(name, None, provider, None))
        except LookupError:
            continue
    return None
