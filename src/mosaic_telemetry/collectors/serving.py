"""Who served a model, by the name that a harness gives the provider."""

from __future__ import annotations

from mosaic_telemetry.schema import Provider

__all__ = ["provider_named", "provider_of_model"]

_NAMES = {
    "anthropic": Provider.ANTHROPIC,
    "claude-code": Provider.ANTHROPIC,
    "openai": Provider.OPENAI,
    "openai-codex": Provider.OPENAI,
    "openai-native": Provider.OPENAI,
    "chatgpt": Provider.OPENAI,
    "openrouter": Provider.OPENROUTER,
    "ollama": Provider.OLLAMA,
    "ollama-chat": Provider.OLLAMA,
    "oss": Provider.OLLAMA,
    "google": Provider.GOOGLE,
    "gemini": Provider.GOOGLE,
    "google-gemini-cli": Provider.GOOGLE,
    "google-antigravity": Provider.GOOGLE,
    "google-vertex": Provider.GOOGLE,
    "google-vertex-anthropic": Provider.GOOGLE,
    "vertex": Provider.GOOGLE,
    "vertexai": Provider.GOOGLE,
    "mistral": Provider.MISTRAL,
    "mistralai": Provider.MISTRAL,
    "codestral": Provider.MISTRAL,
}


def provider_named(name: str) -> Provider:
    """The contract's provider of that name; `custom` for one that the contract has no name for, `unknown` for no name at all."""
    known = name.strip().lower().replace("_", "-")
    return _NAMES.get(known, Provider.CUSTOM if known else Provider.UNKNOWN)


_FAMILIES = (
    (("claude", "anthropic."), Provider.ANTHROPIC),
    (("gpt-", "o1", "o3", "o4", "chatgpt"), Provider.OPENAI),
    (("gemini",), Provider.GOOGLE),
    (("mistral", "ministral", "codestral", "devstral", "magistral"), Provider.MISTRAL),
)


def provider_of_model(model: str) -> Provider:
    """Who served a model whose name says so, as `openrouter/anthropic/claude-sonnet-4.5` and `gpt-5` do."""
    prefix, slash, _ = model.lower().partition("/")
    if slash:
        return provider_named(prefix)
    return next((provider for starts, provider in _FAMILIES if prefix.startswith(starts)), Provider.CUSTOM if prefix else Provider.UNKNOWN)
