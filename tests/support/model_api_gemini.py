"""Gemini's format: cached tokens lie inside `promptTokenCount`, thoughts outside `candidatesTokenCount`."""

import json
from typing import Any

from support.model_api_values import Answer, Asked, Reply, Used

__all__ = ["Gemini"]

_ENDS = (":generateContent", ":streamGenerateContent")


class Gemini:
    """`POST …/models/NAME:generateContent` and `:streamGenerateContent?alt=sse`."""

    def asked(self, path: str, body: dict[str, Any]) -> Asked | None:
        if not path.endswith(_ENDS):
            return None
        declared = [one for tool in body.get("tools") or [] for one in tool.get("functionDeclarations", [])]
        model = path.rpartition("/")[2].rpartition(":")[0]
        return Asked(model, frozenset(str(one.get("name")) for one in declared), streamed=path.endswith(_ENDS[1]))

    def encode(self, reply: Reply, asked: Asked, number: int) -> Answer:
        parts = [{"text": reply.text}] if reply.text else []
        parts += [{"functionCall": {"name": call.name, "args": call.arguments}} for call in reply.calls]
        whole = {
            "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}],
            "usageMetadata": _usage(reply.used),
            "modelVersion": asked.model,
            "responseId": f"test{number}",
        }
        text = json.dumps(whole)
        return Answer(f"data: {text}\r\n\r\n".encode(), "text/event-stream") if asked.streamed else Answer(text.encode())


def _usage(used: Used) -> dict[str, Any]:
    used.only("input", "cache_read", "output", "reasoning")
    return {
        "promptTokenCount": used.read,
        "cachedContentTokenCount": used.cache_read,
        "candidatesTokenCount": used.output,
        "thoughtsTokenCount": used.reasoning,
        "totalTokenCount": used.read + used.written,
    }
