"""The names under which one model goes: routers, clouds and dated releases each write it in their own way."""

from __future__ import annotations

import re

__all__ = ["candidates"]

# Router prefix to the id of a provider in genai-prices; None: any provider.
_ROUTERS = {
    "anthropic": "anthropic",
    "azure": "azure",
    "azure_ai": "azure",
    "bedrock": "aws",
    "cerebras": "cerebras",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "fireworks_ai": "fireworks",
    "gemini": "google",
    "google": "google",
    "groq": "groq",
    "litellm": None,
    "litellm_proxy": None,
    "meta-llama": None,
    "mistral": "mistral",
    "mistralai": "mistral",
    "moonshot": "moonshotai",
    "moonshotai": "moonshotai",
    "openai": "openai",
    "openrouter": "openrouter",
    "qwen": None,
    "together_ai": "together",
    "vertex_ai": "google",
    "x-ai": "x-ai",
    "xai": "x-ai",
    "z-ai": "zai",
    "zai": "zai",
}
_WINDOW = re.compile(r"\[[^\]]*\]$")  # `claude-opus-4-6[1m]` asks for a longer window, not for another model
_BEDROCK = re.compile(r"(?:[a-z-]{2,8}\.)?(?:ai21|amazon|anthropic|cohere|deepseek|meta|mistral|openai|qwen)\.")
_RELEASE = re.compile(r"(?:[-@](?:20\d{6}|20\d\d-\d\d-\d\d)|-latest|@latest|@default)?(?:-v\d+(?::\d+)?)?$")
# Families whose bare names the price list has only at one provider.
_FAMILIES = (("glm-", "zai"),)
_VARIANT = re.compile(r":(?:beta|exacto|extended|floor|nitro|thinking)$")


def candidates(model: str) -> list[tuple[str, str | None]]:
    """What to look a model up as, best guess first: (name, provider's id or None for any).

    `openrouter/anthropic/claude-sonnet-4.5` is tried at OpenRouter, then at Anthropic, then anywhere; Bedrock's and Vertex'
    forms are tried at their cloud first, since a cloud may ask its own price; a date at the end is dropped last.
    """
    name = _VARIANT.sub("", _WINDOW.sub("", model.strip().lower()))
    if name.startswith("arn:"):
        name = name.rpartition("/")[2]
    found: list[tuple[str, str | None]] = []
    while name:
        prefix, slash, rest = name.partition("/")
        if slash and rest:
            provider = _ROUTERS.get(prefix)
            if provider is not None:
                found.append((rest, provider))
            found += [(name, None), (name, "openrouter")]
            name = rest
            continue
        if cloud := _BEDROCK.match(name):
            found += [(name, "aws"), (name[cloud.end() :], None)]
        elif "@" in name:
            found.append((name, "google"))
        found.append((name, None))
        found += [(name, provider) for prefix, provider in _FAMILIES if name.startswith(prefix)]
        break
    undated = [(_RELEASE.sub("", text), provider) for text, provider in found]
    return list(dict.fromkeys(item for item in [*found, *undated] if item[0]))
