"""Who served a model to Claude Code, and how large its context window was."""

from __future__ import annotations

import re

from mosaic_telemetry.pricing import context_window
from mosaic_telemetry.schema import Provider

__all__ = ["provider_of", "window_of"]

_BEDROCK = re.compile(r"^(?:arn:aws|bedrock/|(?:[a-z-]{2,8}\.)?anthropic\.)")
_VERTEX = re.compile(r"^vertex_ai/|@(?:\d{8}|default|latest)$")
_STANDARD = re.compile(r"claude-(?:[a-z]+-4(?:[-.@\[]|$)|[123](?:[-.]|$))")
_STANDARD_WINDOW = 200_000
_LONG_WINDOW = 1_000_000


def provider_of(model: str, call_id: str) -> Provider:
    """Who served a call, by the ids that the clouds write and by the model's name.

    Amazon Bedrock has no name of its own in the contract: it is `custom`, as is a gateway that serves models of others.
    Vertex AI is `google`.
    """
    name = model.lower()
    if call_id.startswith("msg_bdrk_") or _BEDROCK.match(name):
        return Provider.CUSTOM
    if call_id.startswith("msg_vrtx_") or _VERTEX.search(name):
        return Provider.GOOGLE
    if call_id.startswith("gen-") or name.startswith("openrouter/"):
        return Provider.OPENROUTER
    if name.startswith(("claude", "anthropic/")):
        return Provider.ANTHROPIC
    return Provider.CUSTOM


def window_of(model: str, largest_input: int) -> int | None:
    """The context window, in tokens, that a session worked with; None where it is not known.

    Claude 4 and older have 200,000 tokens unless the longer window is asked for, which the log does not tell: a session is known
    to have it once a call of it reads more.

    Args:
        model: the model as written.
        largest_input: input tokens of the session's largest call to it.
    """
    known = context_window(model)
    if _STANDARD.search(model.lower()):
        known = _STANDARD_WINDOW
    if known is None:
        return None
    return known if largest_input <= known else max(known, _LONG_WINDOW)
