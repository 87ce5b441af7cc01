"""Servers that are no use: gone, silent, or speaking when they should listen."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

__all__ = ["black_hole", "dead_url", "raw_server", "relay"]


def dead_url() -> str:
    """Where nobody listens (and a port that nobody gets by chance, as long as few ask for one)."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def black_hole() -> Iterator[str]:
    """Takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def raw_server(talk: Callable[[socket.socket], object]) -> Iterator[str]:
    """Lets `talk(connection)` speak raw bytes to one client after the other."""

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    connection.settimeout(10)
                    talk(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)


@contextmanager
def relay(url: str, target: str) -> Iterator[None]:
    """While it lasts, who connects to `url` reaches `target`."""

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def accept() -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", urlsplit(target).port or 0))
                for pair in ((near, far), (far, near)):
                    pumps.append(threading.Thread(target=pump, args=pair, daemon=True))
                    pumps[-1].start()
                ends.extend((near, far))

    ends: list[socket.socket] = []
    pumps: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", urlsplit(url).port or 0)) as listener:
        pumps.append(threading.Thread(target=accept, daemon=True))
        pumps[0].start()
        try:
            yield
        finally:
            for end in (listener, *ends):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            for thread in pumps:
                thread.join(5)
            for end in ends:
                end.close()
