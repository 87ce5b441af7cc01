"""From what a caller knows of a task to a valid event."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, overload

from mosaic_telemetry.client.config import ResolvedConfig, TelemetryConfig, resolve_config
from mosaic_telemetry.client.ids import timestamp_now, uuid7
from mosaic_telemetry.schema import SCHEMA_VERSION, FieldError, TaskCompletionEvent, ValidationError
from mosaic_telemetry.schema.compiled import FieldCheck, compile_check
from mosaic_telemetry.schema.fields import check, kinds_of, optional_of

if TYPE_CHECKING:
    from typing import Unpack

    from mosaic_telemetry.schema import EventBuilderParams

__all__ = ["EventBuilder"]

_AUTO = frozenset({"instance_id", "event_id", "schema_version", "timestamp"})
_KINDS = tuple((name, kind) for name, kind in kinds_of(TaskCompletionEvent) if name not in _AUTO)
_NAMES = frozenset(name for name, _ in _KINDS)
_OPTIONAL = optional_of(TaskCompletionEvent) - _AUTO
_REQUIRED = _NAMES - _OPTIONAL


class EventBuilder:
    """Builds the events of one installation: validates the fields and adds identity, version and time."""

    def __init__(self, config: TelemetryConfig | ResolvedConfig) -> None:
        self._instance_id = resolve_config(config).instance_id

    @overload
    def build(self, **fields: Unpack[EventBuilderParams]) -> TaskCompletionEvent: ...

    @overload
    def build(self, params: Mapping[str, Any], /, **fields: Any) -> TaskCompletionEvent: ...

    def build(self, params: Mapping[str, Any] | None = None, /, **fields: Any) -> TaskCompletionEvent:  # type: ignore[misc]  # mypy holds Unpack against **Any
        """An event from the fields of `EventBuilderParams`, given by name, in a mapping, or both (names win).

        Raises:
            ValidationError: naming every field that is missing, unknown or does not fit, with its value and bound.
        """
        values = {**params, **fields} if params else fields
        try:
            converted = _compiled()(values)
        except Exception:  # noqa: BLE001 - a missing field, or a foreign object that raises what it likes: the general code names it
            converted = None
        if converted is None or (len(values) > len(_REQUIRED) and not values.keys() <= _NAMES):
            converted = _checked(values)
        event = object.__new__(TaskCompletionEvent)
        # The instance's dictionary is filled at once: a frozen dataclass's own way, one `object.__setattr__` a field, costs
        # more than all of the validation.
        event.__dict__.update(instance_id=self._instance_id, event_id=uuid7(), schema_version=SCHEMA_VERSION, timestamp=timestamp_now(), **converted)
        return event


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields, converted by the general code; optional ones that are absent are None."""
    converted, errors = check(values, _KINDS, _OPTIONAL)
    errors += [FieldError(str(name), value, "a field of an event") for name, value in values.items() if name not in _NAMES]
    if errors:
        raise ValidationError("TaskCompletionEvent", errors)
    return {name: converted.get(name) for name, _ in _KINDS}


@cache
def _compiled() -> FieldCheck:
    return compile_check(_KINDS)
