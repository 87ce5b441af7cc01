"""How many tokens a request of Cline and its kin used. Whether `tokensIn` includes the cache depends on extension, version and provider."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mosaic_telemetry.collectors.serving import provider_named
from mosaic_telemetry.collectors.untrusted import as_count, as_text, is_count
from mosaic_telemetry.pricing import TokenUsage
from mosaic_telemetry.schema import Provider

__all__ = ["Counts", "provider_of", "read_counts", "usages"]

# Providers for which Cline itself subtracts the cache from the input.
_SUBTRACTING = frozenset(
    {"anthropic", "bedrock", "claude-code", "cline", "deepseek", "gemini", "openai-codex", "openai-native", "openrouter", "vercel-ai-gateway", "vertex"}
)
_INCLUDING = frozenset({"openai", "openai-compatible"})
_VENDORS = (
    (re.compile(r"gpt-|chatgpt-|codex-|o\d"), Provider.OPENAI),
    (re.compile(r"claude"), Provider.ANTHROPIC),
    (re.compile(r"gemini"), Provider.GOOGLE),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """The counts of one request as they are written.

    Attributes:
        protocol: `anthropic` or `openai`, as Roo and Kilo write it; empty for Cline.
        provider: the provider as Cline writes it; empty for Roo and Kilo.
        damaged: whether a count is no number.
    """

    tokens_in: int
    tokens_out: int
    reads: int
    writes: int
    protocol: str = ""
    provider: str = ""
    damaged: bool = False

    @property
    def nothing(self) -> bool:
        """Whether the request left no counts."""
        return not (self.tokens_in or self.tokens_out or self.reads or self.writes)


def read_counts(info: Mapping[str, Any], names: tuple[str, str, str, str], provider: str = "") -> Counts:
    """The counts under `names`: input, output, cache reads and cache writes."""
    tokens_in, tokens_out, reads, writes = (as_count(info.get(name)) for name in names)
    return Counts(
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        reads=reads,
        writes=writes,
        protocol=as_text(info.get("apiProtocol")),
        provider=provider,
        damaged=not all(is_count(info.get(name)) for name in names),
    )


def usages(requests: Sequence[Counts]) -> list[TokenUsage]:
    """The tokens of each request of one task, in classes that do not overlap.

    Where the input includes the cache, a server may still say that a request read more from the cache than its input was. The
    sums are right then, and the single figure is not: what is too much counts for the requests nearest before it that have room.
    """
    groups: dict[tuple[str, str], list[Counts]] = defaultdict(list)
    for one in requests:
        groups[one.provider, one.protocol].append(one)
    excluding = {key: _excludes_cache(group) for key, group in groups.items()}
    found: list[TokenUsage] = []
    for one in requests:
        if excluding[one.provider, one.protocol]:
            found.append(TokenUsage(uncached_input=one.tokens_in, cache_read=one.reads, cache_write_5m=one.writes, output=one.tokens_out))
            continue
        written = min(one.writes, one.tokens_in)
        read = min(one.reads, one.tokens_in - written)
        found.append(TokenUsage(uncached_input=one.tokens_in - written - read, cache_read=read, cache_write_5m=written, output=one.tokens_out))
        _give_back(found, one.reads - read)
    return found


def _give_back(found: list[TokenUsage], rest: int) -> None:
    for place in range(len(found) - 2, -1, -1):
        taken = min(rest, found[place].uncached_input)
        found[place] = replace(found[place], uncached_input=found[place].uncached_input - taken, cache_read=found[place].cache_read + taken)
        rest -= taken
        if rest <= 0:
            return


def _excludes_cache(requests: Sequence[Counts]) -> bool:
    """Whether the input of these requests, of one task and provider, excludes the cache.

    Servers that speak OpenAI's language include it. Else a request with more cache than input settles it, and then the providers
    for which Cline subtracts.
    """
    if any(one.protocol == "openai" or one.provider in _INCLUDING for one in requests):
        return False
    cached = [one for one in requests if one.reads or one.writes]
    return any(one.reads + one.writes > one.tokens_in or (one.provider in _SUBTRACTING and not one.protocol) for one in cached)


def provider_of(provider: str, model: str, protocol: str = "", served_by: str = "") -> Provider:
    """Who served a model.

    Cline's `openai` is any server that speaks OpenAI's language: OpenAI itself where the model is one of its own. Roo writes no
    provider: the model's name tells.

    Args:
        provider: as Cline writes it; may be empty.
        model: the model.
        protocol: as Roo and Kilo write it.
        served_by: who served the request behind Kilo's gateway.
    """
    name = model.lower()
    if served_by:
        plain = served_by.strip().lower().replace(" ", "-")
        return Provider.GOOGLE if plain.startswith("google") else provider_named(plain)
    if provider and provider != "openai":
        return provider_named(provider)
    if "/" in name and not provider:
        return Provider.OPENROUTER
    for pattern, vendor in _VENDORS:
        if pattern.match(name) and not (provider and vendor is not Provider.OPENAI) and (vendor is not Provider.ANTHROPIC or protocol != "openai"):
            return vendor
    return Provider.CUSTOM if provider else Provider.UNKNOWN
