"""The asyncio forms of a client's methods: the same client, and the loop is never blocked.

`asyncio` is imported by whoever calls one of them, which has it already.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from mosaic_telemetry.client.reporting import Reporter
    from mosaic_telemetry.client.worker import FlushRequest
    from mosaic_telemetry.schema import PredictionQuery, PredictionResponse

__all__ = ["AsyncForms"]


class AsyncForms(ABC):
    """`aflush`, `astop`, `arefresh_predictions`, `apredict` and `async with`, made of the methods without an `a`."""

    async def aflush(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109 - the same signature as flush
        """`flush` for asyncio: the event loop is never blocked."""
        return await self._aflush(timeout)

    async def astop(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109 - the same signature as stop
        """`stop` for asyncio: the event loop is never blocked."""
        self._end()
        return await self._aflush(timeout)

    async def arefresh_predictions(self, queries: Iterable[PredictionQuery]) -> bool:
        """`refresh_predictions` for asyncio: the event loop is never blocked."""
        import asyncio

        return await asyncio.to_thread(self.refresh_predictions, queries)

    async def apredict(self, query: PredictionQuery, timeout: float = 1.0) -> PredictionResponse | None:  # noqa: ASYNC109 - the same signature as predict
        """`predict` for asyncio: the event loop is never blocked."""
        import asyncio

        return await asyncio.to_thread(self.predict, query, timeout)

    async def __aenter__(self) -> Self:
        if self._sends:
            self.start()
        else:
            import asyncio

            await asyncio.to_thread(self.start)  # what sends is imported first, which takes tens of milliseconds
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.astop()

    async def _aflush(self, timeout: Any) -> bool:  # noqa: ASYNC109 - as aflush
        import asyncio

        try:
            seconds = self._seconds(timeout)
            end = time.monotonic() + seconds
            async with asyncio.timeout(seconds):
                # The first time, what sends is imported, and what others left is read: too much for a loop to wait for.
                request = self._request_flush(end) if self._sends else await asyncio.to_thread(self._request_flush, end)
                if request is not None:
                    loop = asyncio.get_running_loop()
                    done = asyncio.Event()
                    request.on_done(lambda: _wake(loop, done))
                    await done.wait()
        except TimeoutError:
            return False
        except Exception as error:  # noqa: BLE001 - reporting must never break what it reports on
            self._report(error)
            return False
        return (request is None or request.delivered) and self._settled()

    # --- what a client brings --------------------------------------------------------------------------------------

    _report: Reporter

    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    def refresh_predictions(self, queries: Iterable[PredictionQuery]) -> bool: ...

    @abstractmethod
    def predict(self, query: PredictionQuery, timeout: float = 1.0) -> PredictionResponse | None: ...

    @property
    @abstractmethod
    def _sends(self) -> bool:
        """Whether the sender is imported and made."""

    @abstractmethod
    def _seconds(self, timeout: Any) -> float:
        """A timeout as a number; raises for what is none."""

    @abstractmethod
    def _request_flush(self, end: float) -> FlushRequest | None:
        """Ask the sender to send all; None where nothing waits."""

    @abstractmethod
    def _end(self) -> None:
        """Send nothing more in the background."""

    @abstractmethod
    def _settled(self) -> bool:
        """All is delivered. Always true."""


def _wake(loop: Any, done: Any) -> None:
    try:
        loop.call_soon_threadsafe(done.set)
    except RuntimeError:  # the loop was closed meanwhile: nobody waits any more
        return
