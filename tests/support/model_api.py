"""A small model API that answers by a script, in the format of any vendor, on a free port of this machine."""

import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from support.model_api_values import Answer, Asked, Call, Dialect, Reply, Used

__all__ = ["Call", "ModelApi", "Reply", "Used"]

_ASIDE = Reply(text="A word", used=Used(input=9, output=2))
_OVERLOADED = json.dumps({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}).encode()


class ModelApi:
    """Answers each request of the agent with the next reply of a script.

    Args:
        dialect: the API's format.
        script: the replies, in their order; where the requests tell who asks, in one order for the agent and one for its subagents.
            A request without tools (a title and the like) is answered with a word, aside from it.

    Attributes:
        said: the replies given so far, in the order of the requests; failures are not among them.
        asides: how many requests without tools were answered.
        failed: how many requests were failed as the script says.
        refused: the requests that were refused, in words: unknown endpoints, and those that the script has no fitting reply for.
    """

    def __init__(self, dialect: Dialect, script: Sequence[Reply]) -> None:
        self.said: list[Reply] = []
        self.asides = 0
        self.failed = 0
        self.refused: list[str] = []
        self._dialect = dialect
        self._script = list(script)
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def left(self) -> int:
        """How many replies of the script were not asked for yet."""
        return len(self._script)

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Answer]:
        """Status and answer for a request."""
        with self._lock:
            try:
                asked = self._dialect.asked(path, json.loads(body)) if method == "POST" else None
            except ValueError:
                return self._refuse(400, f"{method} {path}: its body is no JSON")
            if asked is None:
                return self._refuse(404, f"{method} {path}")
            if not asked.tools:
                self.asides += 1
                return 200, self._dialect.encode(_ASIDE, asked, 1000 + self.asides)
            return self._next(asked, body.decode(), f"{method} {path}")

    def _next(self, asked: Asked, text: str, request: str) -> tuple[int, Answer]:
        place = next((place for place, reply in enumerate(self._script) if asked.subagent in {None, reply.subagent}), None)
        if place is None:
            return self._refuse(400, f"{request}: the script is at its end")
        reply = self._script[place]
        if unknown := {call.name for call in reply.calls} - asked.tools:
            return self._refuse(400, f"{request}: it offers no {', '.join(unknown)}, but {', '.join(sorted(asked.tools))}")
        del self._script[place]
        if reply.status != 200:
            self.failed += 1
            return reply.status, Answer(_OVERLOADED)
        self.said.append(reply)
        calls = tuple(replace(call, arguments=call.arguments(text)) if callable(call.arguments) else call for call in reply.calls)
        return 200, self._dialect.encode(replace(reply, calls=calls), asked, len(self.said))

    def _refuse(self, status: int, request: str) -> tuple[int, Answer]:
        self.refused.append(request)
        return status, Answer(json.dumps({"type": "error", "error": {"type": "invalid_request_error", "message": f"refused: {request}"}}).encode())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


def _handler(api: ModelApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self._give(*api.answer(self.command, self.path.partition("?")[0], self.rfile.read(int(self.headers.get("Content-Length", 0)))))

        do_GET = do_HEAD = do_PUT = do_DELETE = do_PATCH = do_POST  # noqa: N815 - the names that http.server looks for

        def _give(self, status: int, answer: Answer) -> None:
            self.send_response(status)
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler
