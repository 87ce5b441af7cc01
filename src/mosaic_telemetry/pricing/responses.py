"""The usage object of a model API's answer, in whatever shape the API has: which vendor's it is, its tokens, and what is billed.

The shapes: Anthropic Messages, OpenAI Chat Completions (and the many that copy it, OpenRouter with its `cost`), OpenAI Responses,
Gemini `generateContent`, Bedrock Converse, Ollama. Reading them is left to the extractors of genai-prices, except for Ollama.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mosaic_telemetry.pricing.usage import TokenUsage

__all__ = ["Answered", "read_answer"]

_MOST = 100_000_000  # tokens in one class of one call; more is damage
_KEYS = ("usage", "usageMetadata", "usage_metadata")
_WRAPPERS = ("body", "response", "data", "message")
_DEEPEST = 4
_PLAIN = frozenset({"input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens", "web_searches"})
_NAMES = (
    (re.compile(r"(?:gpt-(?!oss)|o[134](?:-|$)|chatgpt|text-embedding|codex|computer-use)"), "openai"),
    (re.compile(r"claude"), "anthropic"),
    (re.compile(r"(?:mistral|ministral|codestral|devstral|magistral|pixtral|open-mi)"), "mistral"),
    (re.compile(r"gemini"), "google"),
    (re.compile(r"deepseek-(?:chat|reasoner|v\d)"), "deepseek"),
    (re.compile(r"(?:command|embed-)"), "cohere"),
    (re.compile(r"grok"), "x-ai"),
    (re.compile(r"glm-"), "zai"),
)
_FLAVORS = {"chat": ("chat", "default"), "responses": ("responses", "default"), "embeddings": ("embeddings", "chat", "default")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What one answer of an API says of itself.

    Attributes:
        model: the model, empty where the answer does not name it.
        vendor: whose API answered, as the price list names it; `ollama` for Ollama; empty where that is not known.
        usage: its tokens.
        details: more classes that are billed by themselves (audio, images, …), as the price list names them.
        reported: the cost in US dollars that the answer itself tells, unchecked; None where it does not.
        damaged: whether a count is no number.
    """

    model: str
    vendor: str
    usage: TokenUsage
    details: Mapping[str, int] = field(default_factory=dict)
    reported: Any = None
    damaged: bool = False


def read_answer(value: Mapping[str, Any], *, model: str = "", vendor: str = "") -> Answered | None:
    """What an API's answer, or the usage object out of one, says; None where there is no usage in it. Never raises.

    Args:
        value: the answer, its usage object alone, or a record that holds either under `body`, `response`, `data` or `message`.
        model: the model, where it is known from elsewhere.
        vendor: whose API it is, where that is known: the id of a provider in genai-prices.
    """
    for body in _bodies(value, 0):
        usage = next((body[key] for key in _KEYS if isinstance(body.get(key), Mapping)), body)
        if isinstance(usage.get("tokens"), Mapping):  # Cohere
            usage = usage["tokens"]
        named = next((text for key in ("model", "modelVersion", "model_version") if (text := _text(body.get(key)))), model)
        if "prompt_eval_count" in usage or "eval_count" in usage:
            return _ollama(usage, named)
        shape = _shape(usage, named)
        if shape:
            return _read(usage, named, vendor, shape)
    return None


def _bodies(value: Mapping[str, Any], depth: int) -> Iterator[Mapping[str, Any]]:
    yield value
    for key in _WRAPPERS:
        inner = value.get(key)
        if depth < _DEEPEST and isinstance(inner, Mapping):
            yield from _bodies(inner, depth + 1)


def _shape(usage: Mapping[str, Any], model: str) -> str:
    """The kind of API that writes such a usage object; empty for none."""
    if "promptTokenCount" in usage or "candidatesTokenCount" in usage:
        return "gemini"
    if "inputTokens" in usage or "outputTokens" in usage:
        return "bedrock"
    if "input_tokens" in usage and (
        not usage.keys().isdisjoint({"cache_creation", "cache_creation_input_tokens", "cache_read_input_tokens"}) or "claude" in model.lower()
    ):
        return "anthropic"
    if "input_tokens" in usage or "output_tokens" in usage:
        return "responses"
    if "prompt_tokens" in usage or "completion_tokens" in usage:
        return "chat" if "completion_tokens" in usage else "embeddings"
    return ""


def _vendors(usage: Mapping[str, Any], model: str, vendor: str, shape: str) -> list[str]:
    """Whose API it may be, the likeliest first."""
    found = [vendor] if vendor else []
    bare = model.lower().rpartition("/")[2]
    if shape in {"gemini", "bedrock", "anthropic"}:
        found.append({"gemini": "google", "bedrock": "aws", "anthropic": "anthropic"}[shape])
    elif not usage.keys().isdisjoint({"queue_time", "prompt_time", "total_time"}):
        found.append("groq")
    elif not usage.keys().isdisjoint({"cost", "is_byok", "cost_details"}):
        found.append("openrouter")
    else:
        found += [name for pattern, name in _NAMES if pattern.match(bare)]
    return list(dict.fromkeys(found))


def _read(usage: Mapping[str, Any], model: str, vendor: str, shape: str) -> Answered:
    from genai_prices.data_snapshot import get_snapshot

    snapshot = get_snapshot()
    vendors = _vendors(usage, model, vendor, shape)
    known = [provider.id for provider in snapshot.providers if _knows(provider, model)]
    exact = [provider.id for provider in snapshot.providers if any(info.id == model for info in provider.models)]
    # A name such as `z-ai/glm-4.6` is how OpenRouter writes it, as do others: first of them all, where it has just that name.
    tries = [*vendors, *(["openrouter"] if "/" in model and "openrouter" in exact else []), *exact, *known]
    key = "usageMetadata" if shape == "gemini" else "usage"
    body = {"model": model or "unknown", "modelVersion": model or "unknown", key: dict(usage)}
    read: Mapping[str, int] | None = None
    for name in dict.fromkeys(tries):
        provider = next((one for one in snapshot.providers if one.id == name), None)
        for flavor in _FLAVORS.get(shape, ("default", "anthropic")) if provider else ():
            found = _extract(provider, body, flavor)
            if found is None:
                continue
            read = found if read is None else read
            if _knows(provider, model):
                return _answered(found, usage, model, name)
    if read is None:
        read = _by_hand(usage, shape)
    return _answered(read, usage, model, vendors[0] if vendors else "")


def _extract(provider: Any, body: Mapping[str, Any], flavor: str) -> Mapping[str, int] | None:
    """The counts that an extractor of the price list finds; None where it does not fit."""
    try:
        _, found = provider.extract_usage(body, api_flavor=flavor)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return None
    counts = {name: getattr(found, name, None) for name in _usage_fields(found)}
    return {name: count for name, count in counts.items() if isinstance(count, int) and count}


def _usage_fields(found: Any) -> list[str]:
    return [name for name in vars(found).get("_values", vars(found)) if not name.startswith("_")]


def _by_hand(usage: Mapping[str, Any], shape: str) -> Mapping[str, int]:
    """The common classes alone, for an API that the price list does not know."""
    keys = {
        "chat": ("prompt_tokens", "completion_tokens", "prompt_tokens_details"),
        "embeddings": ("prompt_tokens", "completion_tokens", "prompt_tokens_details"),
        "responses": ("input_tokens", "output_tokens", "input_tokens_details"),
        "bedrock": ("inputTokens", "outputTokens", ""),
    }.get(shape, ("input_tokens", "output_tokens", ""))
    details = usage.get(keys[2])
    cached = _count(details.get("cached_tokens")) if isinstance(details, Mapping) else 0
    return {"input_tokens": _count(usage.get(keys[0])), "output_tokens": _count(usage.get(keys[1])), "cache_read_tokens": cached}


def _answered(read: Mapping[str, int], usage: Mapping[str, Any], model: str, vendor: str) -> Answered:
    counts = {name: count for name, count in read.items() if 0 <= count <= _MOST}
    total = counts.get("input_tokens", 0)
    cached = min(total, counts.get("cache_read_tokens", 0))
    written = min(total - cached, counts.get("cache_write_tokens", 0))
    hour = min(written, counts.get("cache_write_1h_tokens", 0))
    return Answered(
        model=model,
        vendor=vendor,
        usage=TokenUsage(
            uncached_input=total - cached - written,
            cache_read=cached,
            cache_write_5m=written - hour,
            cache_write_1h=hour,
            output=counts.get("output_tokens", 0),
            web_searches=counts.get("web_searches", 0),
        ),
        details={name: count for name, count in sorted(counts.items()) if name not in _PLAIN},
        reported=usage.get("cost"),
        damaged=len(counts) < len(read) or _damaged(usage),
    )


def _ollama(usage: Mapping[str, Any], model: str) -> Answered:
    counts = TokenUsage(uncached_input=_count(usage.get("prompt_eval_count")), output=_count(usage.get("eval_count")))
    return Answered(model=model, vendor="ollama", usage=counts, damaged=_damaged(usage))


def _damaged(usage: Mapping[str, Any]) -> bool:
    """Whether a token count in the object is no whole number from 0 to the largest that there can be."""
    names = [name for name in usage if re.fullmatch(r"\w*(?:tokens|_count|TokenCount|Tokens)", name)]
    return any(usage[name] is not None and _count(usage[name], -1) < 0 for name in names)


def _count(value: Any, otherwise: int = 0) -> int:
    fits = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= _MOST and value == int(value)
    return int(value) if fits else otherwise


def _knows(provider: Any, model: str) -> bool:
    return bool(model) and provider.find_model(model) is not None


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""
