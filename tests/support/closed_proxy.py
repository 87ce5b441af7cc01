"""A proxy that lets nothing through, and remembers who wanted to go where."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

__all__ = ["ClosedProxy"]


class ClosedProxy:
    """Refuses every request; where they wanted to go stands in `wanted`."""

    def __init__(self) -> None:
        self.wanted: list[str] = []
        wanted = self.wanted

        class Handler(BaseHTTPRequestHandler):
            def do_CONNECT(self) -> None:
                wanted.append(self.path)
                self.send_error(403)

            do_GET = do_POST = do_HEAD = do_PUT = do_CONNECT  # noqa: N815 - the names that http.server looks for

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        url = f"http://127.0.0.1:{self._server.server_port}"
        names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        local = "127.0.0.1,localhost"
        self.environment = dict.fromkeys((*names, *map(str.lower, names)), url) | {"NO_PROXY": local, "no_proxy": local}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
