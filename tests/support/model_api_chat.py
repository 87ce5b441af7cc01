"""OpenAI's chat completions, as many other vendors speak them: cached tokens lie inside `prompt_tokens`, reasoning inside `completion_tokens`."""

import json
from typing import Any

from support.model_api_values import Answer, Asked, Reply, Used

__all__ = ["Chat"]


class Chat:
    """`POST …/chat/completions`, streamed, with usage where it is asked for."""

    def asked(self, path: str, body: dict[str, Any]) -> Asked | None:
        if not path.endswith("/chat/completions") or not body.get("stream"):
            return None
        tools = frozenset(str(tool.get("function", {}).get("name")) for tool in body.get("tools") or [])
        return Asked(str(body.get("model")), tools, counted=bool((body.get("stream_options") or {}).get("include_usage")))

    def encode(self, reply: Reply, asked: Asked, number: int) -> Answer:
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": reply.text}]
        for place, call in enumerate(reply.calls):
            function = {"name": call.name, "arguments": json.dumps(call.arguments)}
            deltas.append({"tool_calls": [{"index": place, "id": f"call_test{number}_{place}", "type": "function", "function": function}]})
        choices: list[list[dict[str, Any]]] = [[{"index": 0, "delta": delta, "finish_reason": None}] for delta in deltas]
        choices.append([{"index": 0, "delta": {}, "finish_reason": "tool_calls" if reply.calls else "stop"}])
        head = {"id": f"chatcmpl-test{number}", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": asked.model}
        chunks = [{**head, "choices": one} for one in choices]
        if asked.counted:
            chunks.append({**head, "choices": [], "usage": _usage(reply.used)})
        return Answer("".join(f"data: {line}\n\n" for line in (*map(json.dumps, chunks), "[DONE]")).encode(), "text/event-stream")


def _usage(used: Used) -> dict[str, Any]:
    used.only("input", "cache_read", "output", "reasoning")
    return {
        "prompt_tokens": used.read,
        "prompt_tokens_details": {"cached_tokens": used.cache_read},
        "completion_tokens": used.written,
        "completion_tokens_details": {"reasoning_tokens": used.reasoning},
        "total_tokens": used.read + used.written,
    }
