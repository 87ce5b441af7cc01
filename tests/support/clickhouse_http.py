"""ClickHouse's HTTP interface over the embedded engine: what a server's driver needs of it, for the tests.

The engine lives in one process; over this, any number of processes use it as they would use a server. Run as a program with the
engine's directory; it prints its port.
"""

import json
import os
import re
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import chdb

try:
    from compression import zstd
except ImportError:  # before Python 3.14
    from backports import zstd

# What belongs to HTTP and not to the engine. Its blocks come without the header that a newer protocol would put before them.
_OF_HTTP = {"query", "database", "client_protocol_version", "query_id", "session_id", "enable_http_compression", "wait_end_of_query", "compress"}
_OF_HTTP |= {"send_progress_in_http_headers", "http_headers_progress_interval_ms", "cancel_http_readonly_queries_on_client_close", "quota_key"}
_FORMAT = re.compile(rb"\bFORMAT\s+(\w+)\s*$")
_INSERT = re.compile(rb"\s*(INSERT\s+INTO\s.*?)\s+FORMAT\s+Native\s", re.DOTALL | re.IGNORECASE)


class Engine:
    """The one connection, used in turn."""

    def __init__(self, path):
        self.connection = chdb.connect(path)
        self.lock = threading.Lock()
        self.database = ""

    def run(self, query, settings, database):
        """What a statement answers, in bytes."""
        with self.lock:
            if database and database != self.database:
                self.connection.query(f"USE `{database}`", "TabSeparated")
                self.database = database
            for name, value in settings.items():
                self.connection.query(f"SET {name} = {_quoted(value)}", "TabSeparated")
            try:
                if insert := _INSERT.match(query):
                    return self._insert(insert[1], query[insert.end() :])
                form = _FORMAT.search(query)
                return self.connection.query(query, form[1].decode() if form else "TabSeparated").bytes() or b""
            finally:
                for name in settings:
                    self.connection.query(f"SET {name} = DEFAULT", "TabSeparated")

    def _insert(self, statement, data):
        with tempfile.NamedTemporaryFile(suffix=".native") as file:
            file.write(data)
            file.flush()
            return self.connection.query(statement.decode() + f" FROM INFILE {_quoted(file.name)} FORMAT Native", "TabSeparated").bytes() or b""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer in one piece: the second would wait for the acknowledgement of the first
    disable_nagle_algorithm = True

    def do_GET(self):
        self.answer(b"Ok.\n")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) if "Content-Length" in self.headers else self.read_chunks()
        if self.headers.get("Content-Encoding") == "zstd":
            body = zstd.decompress(body)
        given = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        query = given["query"].encode() + b"\n" + body if "query" in given else body
        settings = {name: value for name, value in given.items() if name not in _OF_HTTP}
        try:
            found = self.server.engine.run(query, settings, given.get("database"))
        except Exception as error:  # noqa: BLE001 - the engine's errors come as RuntimeError and others
            text = str(error)
            code = re.search(r"Code: (\d+)", text)
            self.answer(text.encode(), 500, {"X-ClickHouse-Exception-Code": code[1] if code else "1000"})
        else:
            form = _FORMAT.search(query)
            self.answer(found, 200, {"X-ClickHouse-Format": form[1].decode() if form else "TabSeparated"} if found else {})

    def read_chunks(self):
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def answer(self, body, status=200, headers=()):
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("X-ClickHouse-Summary", json.dumps({}))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def _quoted(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def main():
    path = sys.argv[1]
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 0), Handler)
    server.daemon_threads = True
    server.engine = Engine(path)
    print(server.server_address[1], flush=True)  # noqa: T201 - for who started this
    server.serve_forever()
    os._exit(0)


if __name__ == "__main__":
    main()
