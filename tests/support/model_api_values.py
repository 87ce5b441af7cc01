"""What a model API is asked and what it says, whatever its format: a script is written in these, and an encoder makes bytes of them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = ["Answer", "Asked", "Call", "Dialect", "Reply", "Used"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """Tokens of one answer; no class lies inside another.

    Attributes:
        input: read, apart from what the cache had.
        cache_read: read from the cache.
        cache_write_5m: written to the cache, for five minutes (or for as long as the API decides).
        cache_write_1h: written to the cache for an hour.
        output: written, without reasoning.
        reasoning: spent on reasoning.
    """

    input: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0

    @property
    def read(self) -> int:
        """All that went in, cached or not."""
        return self.input + self.cache_read + self.cache_write_5m + self.cache_write_1h

    @property
    def written(self) -> int:
        """All that came out, reasoning included."""
        return self.output + self.reasoning

    def only(self, *names: str) -> None:
        """Fail when a class of tokens is used that the format cannot say: it would be lost on the way.

        Raises:
            ValueError: names the first such class.
        """
        for name in ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "reasoning"):
            if name not in names and getattr(self, name):
                raise ValueError(f"this format has no word for {name}")


@dataclass(frozen=True, slots=True)
class Call:
    """A tool that the model asks for, by the harness's name for it.

    Attributes:
        arguments: what it is given; or how they follow from the text of the request, for those that name what was said before.
        space: the group that the tool stands in, for harnesses that group them.
    """

    name: str
    arguments: dict[str, Any] | Callable[[str], dict[str, Any]] = field(default_factory=dict)
    space: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer of the script.

    Attributes:
        text: what the model says.
        calls: the tools it asks for, all at once; none when it is done.
        used: the tokens that the answer costs.
        status: the HTTP status; other than 200 the request fails with it, costs nothing, and the harness tries again.
        subagent: whether a subagent is meant to hear it.
    """

    text: str = ""
    calls: tuple[Call, ...] = ()
    used: Used = Used()
    status: int = 200
    subagent: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks of the model: which model, by which tools it may be answered, whether as a stream, whether with usage.

    Attributes:
        subagent: whether a subagent asks; None where the request does not tell.
    """

    model: str
    tools: frozenset[str] = frozenset()
    streamed: bool = True
    counted: bool = True
    subagent: bool | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of an answer, and its media type."""

    body: bytes
    kind: str = "application/json"


class Dialect(Protocol):
    """One format of model APIs. `asked` gives None for what is no request for an answer of the model."""

    def asked(self, path: str, body: dict[str, Any]) -> Asked | None: ...

    def encode(self, reply: Reply, asked: Asked, number: int) -> Answer: ...
