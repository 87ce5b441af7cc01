"""What may stand between a client and its server: TLS, and proxies. Each passes bytes on over real sockets."""

import socket
import threading
from contextlib import suppress

__all__ = ["Proxy", "Relay", "TLSFront"]


class Relay:
    """Listens, and passes the bytes of each connection on to where `meet` says, and back.

    Attributes:
        port: where it listens on 127.0.0.1.
        passed: all bytes that clients sent through, as they stood on the wire.
    """

    def __init__(self, port=None):
        self.target = port
        self.passed = bytearray()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open = []
        threading.Thread(target=self._accept, daemon=True).start()

    def meet(self, connection):
        """The client's side and the other side of a new connection; None where it is refused."""
        return connection, socket.create_connection(("127.0.0.1", self.target))

    def _accept(self):
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with suppress(OSError):
            both = self.meet(connection)
            if both is None:
                connection.close()
                return
            near, far = both
            self._open += both
            threading.Thread(target=self._pump, args=(far, near), daemon=True).start()
            self._pump(near, far, note=True)

    def _pump(self, source, sink, *, note=False):
        with suppress(OSError):
            while data := source.recv(65_536):
                if note:
                    self.passed += data
                sink.sendall(data)
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for one in (self._listener, *self._open):
            with suppress(OSError):
                one.close()


class TLSFront(Relay):
    """Speaks TLS for a server that speaks plain HTTP at `port`."""

    def __init__(self, port, context):
        self._context = context
        super().__init__(port)

    def meet(self, connection):
        return super().meet(self._context.wrap_socket(connection, server_side=True))


class Proxy(Relay):
    """A proxy: for CONNECT, and for plain HTTP to `port`. With `wants`, only for those who bring that Proxy-Authorization.

    Attributes:
        heads: the head of the first request of each connection.
    """

    def __init__(self, port=None, wants=None):
        self.heads = []
        self._wants = wants
        super().__init__(port)

    def meet(self, connection):
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(65_536)
        end = head.index(b"\r\n\r\n") + 4
        self.heads.append(head[:end].decode("latin-1"))
        if self._wants is not None and f"Proxy-Authorization: {self._wants}\r\n" not in self.heads[-1]:
            connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return None
        if head.startswith(b"CONNECT "):
            host, port = head.split()[1].decode().rsplit(":", 1)
            far = socket.create_connection(("127.0.0.1", int(port)))
            assert host in {"127.0.0.1", "localhost"}
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            _, far = super().meet(connection)
            far.sendall(head)
        return connection, far
