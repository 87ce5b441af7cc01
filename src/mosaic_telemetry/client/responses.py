"""What a model API's response says that it used: the objects of the anthropic, openai, google-genai and ollama packages.

Duck-typed, so that none of these is needed: attributes or, in plain dictionaries, keys. Formats: Anthropic Messages (input without
cache), OpenAI Chat Completions and Responses (input with cache), Gemini `generateContent` (thoughts beside the output), Ollama.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["Used", "read_response"]

_WRAPPERS = ("response", "message")
_MODELS = ("model", "model_version", "modelVersion")
_OPENAI = ("gpt-", "o1", "o3", "o4", "chatgpt-", "codex-")


class Used(NamedTuple):
    """What one model call used.

    Attributes:
        input: all tokens that the model read: uncached, cache reads and cache writes.
        output: all that it wrote, reasoning included.
        cost_usd: what the response itself says that it cost, unchecked; None where it does not.
        model: the model's name; empty where it does not say.
        provider: who served it, as the contract names it; empty where that is not sure.
    """

    input: int
    output: int
    cost_usd: Any
    model: str
    provider: str


def read_response(value: Any) -> Used | None:
    """What a response used; None for a part of a stream that tells nothing of it yet.

    Args:
        value: a response, its usage object alone, the last part of a stream, or the dictionary that any of these is as JSON.

    Raises:
        ValueError: there is nothing in it that looks like usage, or a count is no whole number of at least 0.
    """
    for body in (value, *(inner for name in _WRAPPERS if (inner := _get(value, name)) is not None)):
        for usage in (_get(body, "usage"), _get(body, "usage_metadata"), _get(body, "usageMetadata"), body):
            if usage is None or isinstance(usage, str):
                continue
            found = _read(usage)
            if found is not None:
                counts, provider = found
                model = next((text for name in _MODELS if isinstance(text := _get(body, name), str)), "")
                return Used(*counts, _get(usage, "cost"), model, provider or ("openai" if model.startswith(_OPENAI) else ""))
    if any(_has(value, name) for name in ("choices", "eval_count", "type", "usage", "usage_metadata")):
        return None  # a part of a stream before its end
    raise ValueError("a response of a model API, with its usage")


def _read(usage: Any) -> tuple[tuple[int, int], str] | None:
    """Input and output tokens of a usage object, and whose it is; None for one that is none."""
    if _is_there(usage, "prompt_eval_count") or _is_there(usage, "eval_count"):
        return (_sum(usage, "prompt_eval_count"), _sum(usage, "eval_count")), "ollama"
    for names in (
        (("prompt_token_count", "tool_use_prompt_token_count"), ("candidates_token_count", "thoughts_token_count")),
        (("promptTokenCount", "toolUsePromptTokenCount"), ("candidatesTokenCount", "thoughtsTokenCount")),
    ):
        if any(_is_there(usage, name) for name in (*names[0], *names[1])):
            return (_sum(usage, *names[0]), _sum(usage, *names[1])), "google"
    if _is_there(usage, "prompt_tokens") or _is_there(usage, "completion_tokens"):
        routed = _is_there(usage, "cost") or _is_there(usage, "is_byok")
        return (_sum(usage, "prompt_tokens"), _sum(usage, "completion_tokens")), "openrouter" if routed else ""
    if _is_there(usage, "input_tokens") or _is_there(usage, "output_tokens"):
        anthropic = _has(usage, "cache_read_input_tokens") or _has(usage, "cache_creation_input_tokens")
        read = _sum(usage, "input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
        return (read, _sum(usage, "output_tokens")), "anthropic" if anthropic else ""
    return None


def _sum(usage: Any, *names: str) -> int:
    total = 0
    for name in names:
        count = _get(usage, name)
        if count is None:
            continue
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise ValueError(f"{name} as a whole number of at least 0")
        total += count
    return total


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def _has(value: Any, name: str) -> bool:
    return name in value if isinstance(value, Mapping) else hasattr(value, name)


def _is_there(value: Any, name: str) -> bool:
    return _get(value, name) is not None
