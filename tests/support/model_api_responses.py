"""OpenAI's Responses format: cached tokens lie inside `input_tokens`, reasoning inside `output_tokens`."""

import json
from typing import Any

from support.model_api_values import Answer, Asked, Reply, Used

__all__ = ["Responses"]


class Responses:
    """`POST …/responses`, streamed."""

    def asked(self, path: str, body: dict[str, Any]) -> Asked | None:
        if not path.endswith("/responses") or not body.get("stream"):
            return None
        tools = body.get("tools") or []
        inside = [one for tool in tools if tool.get("type") == "namespace" for one in tool.get("tools", [])]
        names = frozenset(str(tool.get("name", tool.get("type"))) for tool in [*tools, *inside])
        told = body.get("client_metadata") or {}  # Codex says who asks
        return Asked(str(body.get("model")), names, subagent=told.get("thread_id") != told.get("session_id"))

    def encode(self, reply: Reply, asked: Asked, number: int) -> Answer:
        response = {"id": f"resp_test{number}", "object": "response", "model": asked.model, "status": "in_progress", "output": []}
        items = _items(reply, number)
        events: list[dict[str, Any]] = [{"type": "response.created", "response": response}]
        for index, item in enumerate(items):
            events += [
                {"type": "response.output_item.added", "output_index": index, "item": {**item, "status": "in_progress"}},
                {"type": "response.output_item.done", "output_index": index, "item": item},
            ]
        done = {**response, "status": "completed", "output": items, "usage": _usage(reply.used)}
        events.append({"type": "response.completed", "response": done})
        lines = (f"event: {event['type']}\ndata: {json.dumps({**event, 'sequence_number': place})}\n\n" for place, event in enumerate(events))
        return Answer("".join(lines).encode(), "text/event-stream")


def _usage(used: Used) -> dict[str, Any]:
    used.only("input", "cache_read", "output", "reasoning")
    return {
        "input_tokens": used.read,
        "input_tokens_details": {"cached_tokens": used.cache_read},
        "output_tokens": used.written,
        "output_tokens_details": {"reasoning_tokens": used.reasoning},
        "total_tokens": used.read + used.written,
    }


def _items(reply: Reply, number: int) -> list[dict[str, Any]]:
    content = [{"type": "output_text", "text": reply.text, "annotations": []}]
    said = [{"type": "message", "id": f"msg_test{number}", "role": "assistant", "status": "completed", "content": content}] if reply.text else []
    return said + [
        {
            "type": "function_call",
            "id": f"fc_test{number}_{place}",
            "call_id": f"call_test{number}_{place}",
            "name": call.name,
            **({"namespace": call.space} if call.space else {}),
            "arguments": json.dumps(call.arguments),
            "status": "completed",
        }
        for place, call in enumerate(reply.calls)
    ]
