"""A person's own price list, which goes before the library's. Its format is told in docs/collectors/prices.md."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

from mosaic_telemetry.pricing.names import candidates
from mosaic_telemetry.pricing.price import Price, PriceSource
from mosaic_telemetry.pricing.usage import TokenUsage

__all__ = ["PriceEntry", "PriceFileError", "PriceList", "load_prices", "usual_price_file"]

_MILLION = Decimal(1_000_000)
_NUMBERS = ("input", "output", "cache_read", "cache_write", "cache_write_1h")
_MOST = Decimal(100_000)


class PriceFileError(ValueError):
    """A price file that cannot be used; the text says which, where and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceEntry:
    """The prices of a model in US dollars per million tokens.

    Attributes:
        name: the model as the harness writes it, upper or lower case; `*` stands for any letters, `?` for one.
        provider: who serves it, by the contract's name; empty for whoever does.
        input: of input that no cache was involved with.
        output: of output, reasoning included.
        cache_read: of input served from the cache; as `input` where it is not given.
        cache_write: of input written to the cache; as `input` where it is not given.
        cache_write_1h: of input written to the cache for an hour; as `cache_write` where it is not given.
        subscription: whether a plan covers it. Without prices of its own those of the library are shown, and marked.
    """

    name: str
    provider: str = ""
    input: Decimal | None = None
    output: Decimal | None = None
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    cache_write_1h: Decimal | None = None
    subscription: bool = False

    def cost(self, usage: TokenUsage) -> Decimal | None:
        """US dollars of one call; None where the entry has no prices."""
        if self.input is None or self.output is None:
            return None
        read = self.input if self.cache_read is None else self.cache_read
        written = self.input if self.cache_write is None else self.cache_write
        hour = written if self.cache_write_1h is None else self.cache_write_1h
        cost = usage.uncached_input * self.input + usage.cache_read * read + usage.cache_write_5m * written + usage.cache_write_1h * hour
        return (cost + usage.output * self.output) / _MILLION


@dataclass(frozen=True, slots=True)
class PriceList:
    """A person's own prices; of several entries that fit a model the first counts.

    Attributes:
        origin: what the list is known as.
        entries: its entries in their order.
    """

    origin: str
    entries: tuple[PriceEntry, ...]

    def price(self, model: str, provider: str, usage: TokenUsage, otherwise: Price) -> Price:
        """The price of one call.

        Args:
            model: the model as the harness writes it.
            provider: who served it, by the contract's name.
            usage: the tokens of this one call.
            otherwise: its price without this list.
        """
        entry = _entry(self.entries, model, provider)
        if entry is None:
            return otherwise
        own = entry.cost(usage)
        if own is not None:
            return Price(own, PriceSource.SUBSCRIPTION if entry.subscription else PriceSource.PRICED, self.origin)
        return replace(otherwise, source=PriceSource.SUBSCRIPTION) if otherwise.usd is not None else otherwise


@lru_cache(maxsize=4096)
def _entry(entries: tuple[PriceEntry, ...], model: str, provider: str) -> PriceEntry | None:
    names = {model.strip().lower(), *(name for name, _ in candidates(model))}
    fitting = (entry for entry in entries if entry.provider in {"", provider} and any(fnmatchcase(name, entry.name.lower()) for name in names))
    return next(fitting, None)


def usual_price_file(env: Mapping[str, str], home: Path) -> Path:
    """Where a person's own list lies unless told otherwise: `mosaic-telemetry/prices.toml` in the user's configuration directory."""
    if env.get("XDG_CONFIG_HOME"):
        base = Path(env["XDG_CONFIG_HOME"])
    elif sys.platform == "win32":
        base = Path(env.get("APPDATA") or home / "AppData" / "Roaming")
    elif sys.platform == "darwin":
        base = home / "Library" / "Application Support"
    else:
        base = home / ".config"
    return base / "mosaic-telemetry" / "prices.toml"


def load_prices(path: Path) -> PriceList:
    """Read a price file.

    Raises:
        PriceFileError: it cannot be read, or an entry in it does not fit.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text, parse_float=Decimal)
    except OSError as error:
        raise PriceFileError(f"price file {path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise PriceFileError(f"price file {path} is no TOML: {error}") from error
    unknown = sorted(document.keys() - {"model"})
    models = document.get("model", [])
    if unknown or not isinstance(models, list) or not all(isinstance(one, dict) for one in models):
        raise PriceFileError(f"price file {path}: it holds {unknown[0] if unknown else 'model'!r}, but only [[model]] entries are known")
    return PriceList(str(path), tuple(_checked(one, number, path) for number, one in enumerate(models, 1)))


def _checked(given: Mapping[str, Any], number: int, path: Path) -> PriceEntry:
    where = f"price file {path}, entry {number} ({given.get('name', 'without a name')!r})"
    known = {item.name for item in fields(PriceEntry)}
    problems = [f"{name!r} is not known" for name in sorted(given.keys() - known)]
    problems += [f"{name} must be text" for name in ("name", "provider") if name in given and not isinstance(given[name], str)]
    problems += [] if given.get("name") else ["name is missing"]
    problems += ["subscription must be true or false"] if not isinstance(given.get("subscription", False), bool) else []
    problems += _number_problems(given)
    if problems:
        raise PriceFileError(f"{where}: {'; '.join(problems)}")
    own: dict[str, Any] = {name: Decimal(value) if name in _NUMBERS else value for name, value in given.items()}
    return PriceEntry(**own)


def _number_problems(given: Mapping[str, Any]) -> Sequence[str]:
    problems = []
    for name in _NUMBERS:
        value = given.get(name, 0)
        try:
            fits = not isinstance(value, bool) and isinstance(value, (int, Decimal)) and 0 <= value <= _MOST
        except InvalidOperation:  # not a number
            fits = False
        if not fits:
            problems.append(f"{name} must be US dollars per million tokens, from 0 to {_MOST:,}")
    if ("input" in given) != ("output" in given):
        problems.append("input and output belong together")
    elif "input" not in given and given.get("subscription") is not True:
        problems.append("give input and output, or subscription = true")
    return problems
