"""The tokens of one model call, in the classes that are priced differently."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TokenUsage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUsage:
    """Tokens that one or several calls used. The classes do not overlap; usages can be added.

    Attributes:
        uncached_input: input tokens that no cache was involved with.
        cache_read: input tokens served from the cache.
        cache_write_5m: input tokens written to the cache for five minutes.
        cache_write_1h: input tokens written to the cache for an hour.
        output: output tokens, reasoning included.
        web_searches: searches that the model's vendor made for the call; billed by the piece.
    """

    uncached_input: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    output: int = 0
    web_searches: int = 0

    @property
    def cache_write(self) -> int:
        """Input tokens written to the cache, for however long."""
        return self.cache_write_5m + self.cache_write_1h

    @property
    def input(self) -> int:
        """All input tokens that the model read: uncached, cache reads and cache writes."""
        return self.uncached_input + self.cache_read + self.cache_write

    def __add__(self, other: TokenUsage) -> TokenUsage:
        return TokenUsage(
            uncached_input=self.uncached_input + other.uncached_input,
            cache_read=self.cache_read + other.cache_read,
            cache_write_5m=self.cache_write_5m + other.cache_write_5m,
            cache_write_1h=self.cache_write_1h + other.cache_write_1h,
            output=self.output + other.output,
            web_searches=self.web_searches + other.web_searches,
        )
