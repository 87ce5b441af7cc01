"""A forge on this machine: a package registry as twine and pip speak to it, and Gitea's call that links a package to its repository."""

import base64
import hashlib
import threading
from collections import deque
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

__all__ = ["Forge", "Seen"]

USER, TOKEN = "robot", "secret-of-the-robot"
FILES = "/api/packages/owner/pypi/files/"
LINK = "/api/v1/packages/owner/pypi/mosaic-telemetry/-/link/repository"


@dataclass(frozen=True)
class Seen:
    """A request that came in."""

    method: str
    path: str
    authorization: str


class Forge:
    """Running once made; ends with the block.

    Attributes:
        files: what is published, by name.
        requests: what was asked, in order.
        refusals: statuses that the next requests are answered with, by method and path, before they are served as usual.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.linked = False
        self.link_status = 201
        self.requests: list[Seen] = []
        self.refusals: dict[tuple[str, str], deque[int]] = {}
        forge = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                forge._answer(self)

            def do_POST(self) -> None:
                forge._answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.registry = f"{self.url}/api/packages/owner/pypi"

    @property
    def environment(self) -> dict[str, str]:
        """What the CI's secrets and the CI itself say."""
        return {
            "REGISTRY_URL": self.registry,
            "REGISTRY_USER": USER,
            "REGISTRY_TOKEN": TOKEN,
            "FORGE_URL": self.url,
            "CI_REPO_OWNER": "owner",
            "CI_REPO_NAME": "repository",
        }

    def refuse(self, method: str, path: str, *statuses: int) -> None:
        self.refusals[method, path] = deque(statuses)

    def count(self, method: str, path: str) -> int:
        return sum((seen.method, seen.path) == (method, path) for seen in self.requests)

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        path, authorization = handler.path, handler.headers.get("Authorization", "")
        self.requests.append(Seen(handler.command, path, authorization))
        waiting = self.refusals.get((handler.command, path))
        if waiting:
            status, page = waiting.popleft(), b"refused"
        else:
            status, page = self._serve(handler.command, path, authorization, handler.headers, body)
        handler.send_response(status)
        handler.send_header("Content-Type", "application/octet-stream" if path.startswith(FILES) else "text/html")
        handler.send_header("Content-Length", str(len(page)))
        if status == 401:
            handler.send_header("WWW-Authenticate", 'Basic realm="forge"')
        handler.end_headers()
        handler.wfile.write(page)

    def _serve(self, method: str, path: str, authorization: str, headers: Message, body: bytes) -> tuple[int, bytes]:  # noqa: PLR0911 - one return a page
        basic = f"Basic {base64.b64encode(f'{USER}:{TOKEN}'.encode()).decode()}"
        if authorization not in {basic, f"token {TOKEN}"}:
            return 401, b"unauthorized"
        if path == "/api/packages/owner/pypi/simple/mosaic-telemetry/" and method == "GET":
            links = [f'<a href="../../files/{name}#sha256={hashlib.sha256(data).hexdigest()}">{name}</a>' for name, data in self.files.items()]
            return (200, f"<!DOCTYPE html><html><body>{'<br>'.join(links)}</body></html>".encode()) if links else (404, b"no such package")
        if path.startswith(FILES) and method == "GET":
            return 200, self.files[path.removeprefix(FILES)]
        if path == "/api/packages/owner/pypi" and method == "POST":
            return self._keep(headers, body)
        if path == LINK and method == "POST":
            if not self.files:
                return 404, b"no such package"
            status, self.linked = (400 if self.linked else self.link_status), True
            return status, b""
        return 404, b"no such page"

    def _keep(self, headers: Message, body: bytes) -> tuple[int, bytes]:
        form = BytesParser().parsebytes(f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode() + body)
        for part in form.get_payload():
            if part.get_param("name", header="content-disposition") == "content":
                name = part.get_filename()
                if name in self.files:
                    return 409, b"package file already exists"
                self.files[name] = part.get_payload(decode=True)
                return 201, b""
        return 400, b"no content"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
