"""Looking keys up: those that are asked for while a query is under way share the next one."""

from __future__ import annotations

import threading
from concurrent.futures import Future

from mosaic_telemetry.engine.store.accounts import FoundKey
from mosaic_telemetry.engine.store.postgres import accounts
from mosaic_telemetry.engine.store.postgres.link import Link

__all__ = ["KeyFinder"]

Waiting = list[tuple[bytes, "Future[FoundKey | None]"]]


class KeyFinder:
    """Finds keys. Safe to use from several threads.

    Nothing is remembered: a query begins after everyone whom it answers has asked, so that a key works no longer from the moment at which
    its revocation is committed, by whatever process.

    Args:
        link: where to.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._lock = threading.Lock()
        self._waiting: Waiting = []
        self._asking = False

    def find(self, digest: bytes) -> Future[FoundKey | None]:
        """The key with this SHA-256, whether it works or not. Never blocks."""
        answer: Future[FoundKey | None] = Future()
        with self._lock:
            self._waiting.append((digest, answer))
            if self._asking:
                return answer
            self._asking = True
        self._ask()
        return answer

    def _ask(self) -> None:
        with self._lock:
            taken = [(digest, answer) for digest, answer in self._waiting if answer.set_running_or_notify_cancel()]
            self._waiting = []
            self._asking = bool(taken)
        if taken:
            digests = list({digest for digest, _ in taken})
            asked = self._link.use(lambda connection: accounts.find_keys(connection, digests))
            asked.add_done_callback(lambda found: self._answer(taken, found))

    def _answer(self, taken: Waiting, found: Future[dict[bytes, FoundKey]]) -> None:
        self._ask()
        error = found.exception()
        for digest, answer in taken:
            if error is None:
                answer.set_result(found.result().get(digest))
            else:
                answer.set_exception(error)
