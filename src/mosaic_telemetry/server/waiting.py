"""Short reads from the store: at once where it is a file at hand, in a thread where it may keep one waiting."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from starlette.concurrency import run_in_threadpool

from mosaic_telemetry.engine import Engine

__all__ = ["read"]

P = ParamSpec("P")
T = TypeVar("T")


async def read(engine: Engine, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `function` returns, which reads a little from the engine's store; the event loop never waits for another machine.

    A read of a file takes microseconds, fewer than a thread costs to be asked.
    """
    if engine.is_remote:
        return await run_in_threadpool(function, *args, **kwargs)
    return function(*args, **kwargs)
