"""A small model API that answers by a script: the Anthropic Messages format, streamed, on a free port of this machine."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

__all__ = ["ModelApi"]


class ModelApi:
    """Answers each request of the agent with the next turn of a script; what it said it used stands in `usages`.

    Args:
        turns: for each turn a shell command to run, or a text to end with. Requests without tools (titles and the like) are
            answered with a word, and are not counted.
    """

    def __init__(self, turns: list[dict[str, str]]) -> None:
        self.usages: list[dict[str, int]] = []
        self._turns = turns
        self._lock = threading.Lock()
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
                if not self.path.split("?")[0].endswith("/v1/messages"):
                    self._send(b'{"input_tokens": 10}', "application/json")
                    return
                events = api._answer(body)
                self._send("".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode(), "text/event-stream")

            def do_GET(self) -> None:
                self._send(b"{}", "application/json")

            def do_HEAD(self) -> None:
                self.do_GET()

            def _send(self, data: bytes, kind: str) -> None:
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def _answer(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        with self._lock:
            asked = bool(body.get("tools"))
            number = len(self.usages)
            turn = self._turns[min(number, len(self._turns) - 1)] if asked else {"text": "word"}
            usage = {"input_tokens": 10 + number, "cache_creation_input_tokens": 200, "cache_read_input_tokens": 1000 * number, "output_tokens": 40 + number}
            if asked:
                self.usages.append(usage)
        block = {"type": "tool_use", "id": f"toolu_{number}", "name": "Bash", "input": {}} if "command" in turn else {"type": "text", "text": ""}
        delta = (
            {"type": "input_json_delta", "partial_json": json.dumps({"command": turn["command"], "description": "work"})}
            if "command" in turn
            else {"type": "text_delta", "text": turn["text"]}
        )
        message = {
            "id": f"msg_test{number}{'' if asked else 'aux'}",
            "type": "message",
            "role": "assistant",
            "model": body.get("model", "claude-sonnet-4-5"),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {**usage, "output_tokens": 1},
        }
        stop = {"stop_reason": "tool_use" if "command" in turn else "end_turn", "stop_sequence": None}
        return [
            {"type": "message_start", "message": message},
            {"type": "content_block_start", "index": 0, "content_block": block},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": stop, "usage": {"output_tokens": usage["output_tokens"]}},
            {"type": "message_stop"},
        ]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
