"""Anthropic's Messages format: cache reads and writes lie outside `input_tokens`, thinking inside `output_tokens`."""

import json
from typing import Any

from support.model_api_values import Answer, Asked, Reply, Used

__all__ = ["Anthropic"]


class Anthropic:
    """`POST …/messages`, streamed."""

    def asked(self, path: str, body: dict[str, Any]) -> Asked | None:
        if not path.endswith("/messages") or not body.get("stream"):
            return None
        return Asked(str(body.get("model")), frozenset(str(tool.get("name")) for tool in body.get("tools") or []))

    def encode(self, reply: Reply, asked: Asked, number: int) -> Answer:
        usage = _usage(reply.used)
        message = {
            "id": f"msg_test{number}",
            "type": "message",
            "role": "assistant",
            "model": asked.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {**usage, "output_tokens": 1},  # as the API does: the true count comes at the end
        }
        events = [{"type": "message_start", "message": message}]
        for index, (block, delta) in enumerate(_blocks(reply, number)):
            events += [
                {"type": "content_block_start", "index": index, "content_block": block},
                {"type": "content_block_delta", "index": index, "delta": delta},
                {"type": "content_block_stop", "index": index},
            ]
        stop = {"stop_reason": "tool_use" if reply.calls else "end_turn", "stop_sequence": None}
        events += [{"type": "message_delta", "delta": stop, "usage": {"output_tokens": usage["output_tokens"]}}, {"type": "message_stop"}]
        return Answer("".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode(), "text/event-stream")


def _usage(used: Used) -> dict[str, Any]:
    return {
        "input_tokens": used.input,
        "cache_creation_input_tokens": used.cache_write_5m + used.cache_write_1h,
        "cache_read_input_tokens": used.cache_read,
        "cache_creation": {"ephemeral_5m_input_tokens": used.cache_write_5m, "ephemeral_1h_input_tokens": used.cache_write_1h},
        "output_tokens": used.written,
        "service_tier": "standard",
    }


def _blocks(reply: Reply, number: int) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    said = [({"type": "text", "text": ""}, {"type": "text_delta", "text": reply.text})] if reply.text else []
    return said + [
        (
            {"type": "tool_use", "id": f"toolu_{number}_{place}", "name": call.name, "input": {}},
            {"type": "input_json_delta", "partial_json": json.dumps(call.arguments)},
        )
        for place, call in enumerate(reply.calls)
    ]
