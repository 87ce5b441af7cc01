"""Track a task while it runs: `with client.task(…) as task`, `async with`, or as a decorator.

Nothing here raises into the task: a value that does not fit is reported and left out, a sum above its bound is held at it.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, Self, TypeVar

from mosaic_telemetry.client.builder import EventBuilder
from mosaic_telemetry.schema import (
    MAX_COST_MICROS,
    MAX_DURATION_MS,
    MAX_TOKENS,
    Complexity,
    FieldError,
    Harness,
    Outcome,
    Provider,
    QualityGate,
    TaskCompletionEvent,
    TaskType,
    ValidationError,
)
from mosaic_telemetry.schema.fields import Choice, Integer, Number

__all__ = ["Task", "current_task"]

F = TypeVar("F", bound=Callable[..., Any])

_current: ContextVar[Task | None] = ContextVar("mosaic_telemetry_task", default=None)

_COUNT = Integer(0, 2**63)
_CAPS = {
    "task_duration_ms": MAX_DURATION_MS,
    "actual_input_tokens": MAX_TOKENS,
    "actual_output_tokens": MAX_TOKENS,
    "actual_cost_usd_micros": MAX_COST_MICROS,
    "context_compactions": 100,
    "context_rotations": 50,
    "retry_count": 20,
}
_DEFAULTS: dict[str, Any] = {
    "task_type": TaskType.UNKNOWN,
    "complexity": Complexity.MEDIUM,
    "harness": Harness.CUSTOM,
    "provider": Provider.UNKNOWN,
    "estimated_input_tokens": 0,
    "estimated_output_tokens": 0,
    "estimated_cost_usd_micros": 0,
    "context_utilization_final": 0.0,
    "language": None,
    "repo_size_category": None,
}


def current_task() -> Task | None:
    """The innermost task that runs in this thread or asyncio task, or None."""
    return _current.get()


class Task:
    """One task under way; its event is reported when the block ends.

    Made by `TelemetryClient.task`. Duration is the time spent in the block. The outcome is what `outcome` was set to; else
    TIMEOUT where the block raised TimeoutError, FAILURE where it raised anything else, PARTIAL or FAILURE where some or all
    gates failed, and SUCCESS. A gate that ran several times counts as its last run.
    """

    def __init__(
        self,
        builder: EventBuilder,
        submit: Callable[[Callable[[], TaskCompletionEvent]], None],
        report: Callable[[Exception], None],
        fields: dict[str, Any],
    ) -> None:
        self._builder = builder
        self._submit = submit
        self._report = report
        self._fields = {**_DEFAULTS, **fields}
        self._gates: dict[QualityGate, bool] = {}
        self._sums = dict.fromkeys(
            ("actual_input_tokens", "actual_output_tokens", "actual_cost_usd_micros", "context_compactions", "context_rotations", "retry_count"), 0
        )
        self._cost = 0.0
        self._started = 0.0
        self._token: Token[Task | None] | None = None
        self.outcome: Outcome | str | None = None
        self.event: TaskCompletionEvent | None = None

    def add_usage(self, *, input_tokens: int = 0, output_tokens: int = 0, cost_usd_micros: int = 0, cost_usd: float = 0.0) -> None:
        """Add what one model call used.

        Args:
            input_tokens: all input that the model read: uncached, cache reads and cache writes.
            output_tokens: all output that it wrote, reasoning included.
            cost_usd_micros: cost in micro-dollars.
            cost_usd: cost in dollars, added to `cost_usd_micros`.
        """
        self._add("actual_input_tokens", input_tokens)
        self._add("actual_output_tokens", output_tokens)
        self._add("actual_cost_usd_micros", cost_usd_micros)
        try:
            self._cost += min(Number(0.0).convert(cost_usd) * 1_000_000, MAX_COST_MICROS)  # rounded once, at the end
        except Exception:  # noqa: BLE001 - as in _add
            self._bad("cost_usd", cost_usd, Number(0.0).bound)

    def add_response(self, response: Any) -> None:
        """Add what a response of a model API says that it used, and its model and provider where the task does not name them.

        Takes the response objects of the anthropic, openai (chat and responses), google-genai and ollama packages, the last part of a
        stream, and the dictionaries that these are as JSON. Parts of a stream before its end add nothing, so that all of an OpenAI or
        Ollama stream may be handed over; of an Anthropic stream hand over the final message, of a Gemini stream the last part.

        Args:
            response: such an object; what is none is reported, and adds nothing.
        """
        from mosaic_telemetry.client.responses import read_response

        try:
            used = read_response(response)
            if used is None:
                return
            self.add_usage(input_tokens=used.input, output_tokens=used.output, cost_usd=used.cost_usd or 0.0)
            if used.model:
                self._fields.setdefault("model", used.model[:100])
            if used.provider and self._fields.get("provider") == Provider.UNKNOWN:
                self._fields["provider"] = Provider(used.provider)
        except ValueError as error:
            self._bad("response", type(response).__name__, str(error))
        except Exception:  # noqa: BLE001 - as in _add
            self._bad("response", type(response).__name__, "a response of a model API, with its usage")

    def gate(self, name: QualityGate | str, *, passed: bool) -> None:
        """Say how a quality gate ended."""
        try:
            self._gates[QualityGate(Choice(QualityGate).convert(name))] = bool(passed)
        except Exception:  # noqa: BLE001 - a foreign object may raise anything when it is asked for its truth
            self._bad("gate", name, Choice(QualityGate).bound)

    def compacted(self, times: int = 1) -> None:
        """The context was compacted."""
        self._add("context_compactions", times)

    def rotated(self, times: int = 1) -> None:
        """A fresh context took over."""
        self._add("context_rotations", times)

    def retried(self, times: int = 1) -> None:
        """The task was tried again."""
        self._add("retry_count", times)

    def set(self, **fields: Any) -> None:
        """Set fields of the event that were not known at the start, such as `language` or `context_utilization_final`."""
        self._fields.update(fields)

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        self._token = _current.set(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        duration = time.monotonic() - self._started
        if self._token is not None:
            try:
                _current.reset(self._token)
            except ValueError:  # a generator was closed in another context than it began in
                _current.set(None)
            self._token = None
        self._submit(lambda: self._build(duration, kind))

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.__exit__(kind, error, trace)

    def __call__(self, function: F) -> F:
        """As a decorator: each call of `function` is a task of its own; it may be a coroutine function or any kind of generator."""
        from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction  # costs more than all else that an import of ours does

        if isgeneratorfunction(function):

            @functools.wraps(function)
            def wrapped_generator(*args: Any, **kwargs: Any) -> Any:
                with self._fresh():
                    return (yield from function(*args, **kwargs))

            return wrapped_generator  # type: ignore[return-value]  # same signature by functools.wraps

        if isasyncgenfunction(function):

            @functools.wraps(function)
            async def wrapped_stream(*args: Any, **kwargs: Any) -> Any:
                with self._fresh():
                    async for item in function(*args, **kwargs):
                        yield item

            return wrapped_stream  # type: ignore[return-value]  # same signature by functools.wraps

        if iscoroutinefunction(function):

            @functools.wraps(function)
            async def wrapped_async(*args: Any, **kwargs: Any) -> Any:
                with self._fresh():
                    return await function(*args, **kwargs)

            return wrapped_async  # type: ignore[return-value]  # same signature by functools.wraps

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self._fresh():
                return function(*args, **kwargs)

        return wrapped  # type: ignore[return-value]  # same signature by functools.wraps

    def _fresh(self) -> Task:
        return Task(self._builder, self._submit, self._report, self._fields)

    def _add(self, name: str, count: int) -> None:
        try:
            self._sums[name] += _COUNT.convert(count)
        except Exception:  # noqa: BLE001 - a foreign object may raise anything when it is asked for its number
            self._bad(name, count, "a whole number of at least 0")

    def _bad(self, name: str, value: object, bound: str) -> None:
        self._report(ValidationError("task", [FieldError(name, value, bound)]))

    def _build(self, duration: float, kind: type[BaseException] | None) -> TaskCompletionEvent:
        failed = [gate for gate, passed in self._gates.items() if not passed]
        sums = {"task_duration_ms": round(duration * 1000), **self._sums}
        sums["actual_cost_usd_micros"] += round(self._cost)
        values: dict[str, Any] = {
            **{name: min(value, _CAPS[name]) for name, value in sums.items()},
            "quality_gate_passed": not failed,
            "quality_gates_run": list(self._gates),
            "quality_gates_failed": failed,
            "outcome": _outcome(kind, len(self._gates), len(failed)),
        }
        said = {} if self.outcome is None else {"outcome": self.outcome}
        self.event = self._build_of({**values, **self._fields, **said}, values)
        return self.event

    def _build_of(self, given: dict[str, Any], known: dict[str, Any]) -> TaskCompletionEvent:
        """The event; fields that do not fit are reported, and left to what is known or to their defaults."""
        try:
            return self._builder.build(given)
        except ValidationError as error:
            bad = {problem.field for problem in error.errors}
            self._report(error)
            instead = {**_DEFAULTS, "model": "unknown", **known}
            good = {name: value for name, value in given.items() if name not in bad}
            return self._builder.build({**{name: instead[name] for name in bad if name in instead}, **good})


def _outcome(kind: type[BaseException] | None, ran: int, failed: int) -> Outcome:
    if kind is not None:
        return Outcome.TIMEOUT if issubclass(kind, TimeoutError) else Outcome.FAILURE
    if failed:
        return Outcome.PARTIAL if failed < ran else Outcome.FAILURE
    return Outcome.SUCCESS
