"""What administrators ask for and are told, in the form that the admin API and `mosaic-telemetry admin` share."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import msgspec

from mosaic_telemetry.engine.accounts import LONGEST_NAME, NAME_PATTERN, IssuedKey
from mosaic_telemetry.engine.engine import Engine
from mosaic_telemetry.engine.errors import AccountError
from mosaic_telemetry.engine.intake import ACCEPTED, DUPLICATE, INVALID
from mosaic_telemetry.engine.store import ApiKey, Instance

__all__ = [
    "ActView",
    "Administration",
    "InstanceView",
    "IssuedView",
    "KeyView",
    "NewInstance",
    "NewKeyOf",
    "Rotation",
    "UsageView",
]

_DAYS = 7
_MOST_DAYS = 3660

_Name = Annotated[str, msgspec.Meta(max_length=LONGEST_NAME, pattern=NAME_PATTERN, description="what to call it")]
_Lifetime = Annotated[float, msgspec.Meta(gt=0, le=3.2e9, description="seconds after which the key works no longer; null for never")]
_Overlap = Annotated[float, msgspec.Meta(ge=0, le=3.2e9, description="seconds that the old keys go on working")]
_Time = Annotated[str, msgspec.Meta(description="ISO 8601, in UTC")]


class NewInstance(msgspec.Struct, forbid_unknown_fields=True):
    """An instance to be made, with its first key."""

    name: _Name = ""
    key_name: _Name = ""
    expires_in_seconds: _Lifetime | None = None


class NewKeyOf(msgspec.Struct, forbid_unknown_fields=True):
    """A key to be made."""

    name: _Name = ""
    expires_in_seconds: _Lifetime | None = None


class Rotation(msgspec.Struct, forbid_unknown_fields=True):
    """A key to be made in the place of others."""

    name: _Name = ""
    expires_in_seconds: _Lifetime | None = None
    overlap_seconds: _Overlap = 0.0


class KeyView(msgspec.Struct):
    """A key; never itself."""

    number: int
    name: str
    hint: Annotated[str, msgspec.Meta(description="its last characters; empty for keys of older versions")]
    created: _Time
    expires: _Time | None
    revoked: _Time | None
    works: bool


class InstanceView(msgspec.Struct):
    """An instance."""

    instance_id: UUID
    name: str
    created: _Time
    keys: Annotated[int, msgspec.Meta(description="keys that work")]
    local: Annotated[bool, msgspec.Meta(description="whether it is the one of commands that work on the database themselves")]


class IssuedView(msgspec.Struct):
    """A key that was just made; this is the only time that it is shown."""

    instance_id: UUID
    api_key: Annotated[str, msgspec.Meta(description="a secret; it is not shown again")]
    key: KeyView


class UsageView(msgspec.Struct):
    """Events that came in from an instance on a day (UTC, of receipt)."""

    day: Annotated[str, msgspec.Meta(description="such as 2026-02-07")]
    instance_id: UUID | None
    name: str
    accepted: int
    duplicate: int
    invalid: int
    invalid_fields: Annotated[dict[str, int], msgspec.Meta(description="invalid events by the first field that was wrong")]


class ActView(msgspec.Struct):
    """An entry of the audit log."""

    number: int
    at: _Time
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]


class Administration:
    """Does what an administrator asks for, and writes it into the audit log.

    All methods raise `DatabaseError` where the store fails, `UnknownInstanceError` for an instance that there is not, and
    `AccountError` for what else cannot be.

    Args:
        engine: on which.
        actor: who asks, such as `cli:ann`.
    """

    def __init__(self, engine: Engine, actor: str) -> None:
        self._engine = engine
        self._accounts = engine.accounts
        self._actor = actor

    def instances(self) -> list[InstanceView]:
        """All instances, oldest first."""
        now_ms, keys = self._accounts.now_ms(), self._accounts.keys()
        working = Counter(key.instance for key in keys if key.works(now_ms))
        return [self._instance(instance, working[instance.number]) for instance in self._accounts.instances()]

    def instance(self, instance_id: UUID) -> InstanceView:
        """One instance."""
        instance = self._accounts.instance(instance_id)
        return self._instance(instance, sum(key.works for key in self.keys(instance_id)))

    def create_instance(self, wanted: NewInstance) -> IssuedView:
        """Add an instance with a key."""
        issued = self._accounts.create_instance(wanted.name, actor=self._actor, key_name=wanted.key_name, lifetime=wanted.expires_in_seconds)
        return self._issued(issued)

    def keys(self, instance_id: UUID) -> list[KeyView]:
        """The keys of an instance, whether they work or not, oldest first."""
        return [self._key(key) for key in self._accounts.keys(self._accounts.instance(instance_id))]

    def create_key(self, instance_id: UUID, wanted: NewKeyOf) -> IssuedView:
        """Add a key to an instance."""
        return self._issued(self._accounts.add_key(instance_id, wanted.name, actor=self._actor, lifetime=wanted.expires_in_seconds))

    def rotate(self, instance_id: UUID, wanted: Rotation) -> IssuedView:
        """Put a new key in the place of those that an instance has."""
        issued = self._accounts.rotate(instance_id, actor=self._actor, overlap=wanted.overlap_seconds, name=wanted.name, lifetime=wanted.expires_in_seconds)
        return self._issued(issued)

    def revoke(self, instance_id: UUID, number: int | None = None) -> int:
        """Revoke an instance's keys, or the one of this number, at once; returns how many worked until now."""
        return self._accounts.revoke(instance_id, number, actor=self._actor)

    def erase(self, instance_id: UUID) -> int:
        """Delete all events of an instance; returns how many there were. Its keys go on working."""
        instance = self._accounts.instance(instance_id)
        self._accounts.note(self._actor, "instance.erase", instance_id)
        erased = self._engine.erase(instance)
        self._accounts.note(self._actor, "instance.erased", instance_id, events=erased)
        return erased

    def usage(self, since: date | None = None, until: date | None = None, instance_id: UUID | None = None) -> list[UsageView]:
        """What came in on some days, both included, by the day of receipt (UTC); by default on the last 7."""
        until = until or datetime.fromtimestamp(self._accounts.now_ms() / 1000, UTC).date()
        since = since or max(date.min + timedelta(days=_DAYS - 1), until) - timedelta(days=_DAYS - 1)
        if not 0 <= (until - since).days < _MOST_DAYS:
            raise AccountError(f"since: {since} to {until} is no stretch of 1 to {_MOST_DAYS} days")
        named = {instance.number: instance for instance in self._accounts.instances()}
        only = None if instance_id is None else self._accounts.instance(instance_id).number
        rows: defaultdict[tuple[int, int], dict[str, int]] = defaultdict(dict)
        for key, events in self._engine.intake(since, until).items():
            if only in (None, key.instance):
                rows[key.day, key.instance][key.result] = events
        return [self._usage(day, named.get(number), results) for (day, number), results in sorted(rows.items())]

    def acts(self, limit: int = 100, before: int | None = None) -> list[ActView]:
        """The last entries of the audit log, newest first."""
        return [
            ActView(act.number, _time(act.at_ms), act.actor, act.action, act.subject, msgspec.json.decode(act.detail))
            for act in self._accounts.acts(limit, before)
        ]

    def create_admin_key(self) -> str:
        """A new admin key, in the place of the one there was."""
        key = self._accounts.make_admin_key(actor=self._actor, replace=True)
        assert key is not None  # noqa: S101 - one that replaces is always made
        return key

    def _instance(self, instance: Instance, keys: int) -> InstanceView:
        return InstanceView(instance.instance_id, instance.name, _time(instance.created_ms), keys, instance.local)

    def _issued(self, issued: IssuedKey) -> IssuedView:
        return IssuedView(issued.credentials.instance_id, issued.credentials.api_key, self._key(issued.key))

    def _key(self, key: ApiKey) -> KeyView:
        expires, revoked = (None if ms is None else _time(ms) for ms in (key.expires_ms, key.revoked_ms))
        return KeyView(key.number, key.name, key.hint, _time(key.created_ms), expires, revoked, key.works(self._accounts.now_ms()))

    @staticmethod
    def _usage(day: int, instance: Instance | None, results: dict[str, int]) -> UsageView:
        instance_id, name = (instance.instance_id, instance.name) if instance else (None, "")
        invalid = {result: events for result, events in results.items() if result.startswith(INVALID)}
        return UsageView(
            (date(1970, 1, 1) + timedelta(days=day)).isoformat(),
            instance_id,
            name,
            results.get(ACCEPTED, 0),
            results.get(DUPLICATE, 0),
            sum(invalid.values()),
            {result.partition(": ")[2]: events for result, events in invalid.items() if ": " in result},
        )


def _time(ms: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
