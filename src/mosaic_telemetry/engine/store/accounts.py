"""What the engine asks of a store about those who use it: instances, keys, what administrators did, use, limits.

Every act of an administrator is written into the audit log in the transaction of the act itself: neither is there without the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import NamedTuple, Protocol
from uuid import UUID

from mosaic_telemetry.engine.store.values import Instance

__all__ = ["AccountStore", "Act", "ApiKey", "Bucket", "FoundKey", "IntakeKey", "NewKey"]


@dataclass(frozen=True, slots=True)
class NewKey:
    """An API key that is to be kept.

    Attributes:
        digest: its SHA-256; the key itself is never kept.
        name: what the administrator calls it; may be empty.
        hint: its last characters, for people to tell keys apart.
        created_ms: when it was made, in milliseconds since 1970.
        expires_ms: from when on it does not work any more, or None.
    """

    digest: bytes
    name: str
    hint: str
    created_ms: int
    expires_ms: int | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key as it is kept.

    Attributes:
        number: the store's own name for it, by which administrators name it too.
        instance: the number of its instance.
        name: what the administrator calls it; may be empty.
        hint: its last characters; empty for keys of older versions.
        created_ms: when it was made, in milliseconds since 1970.
        expires_ms: from when on it does not work any more, or None.
        revoked_ms: from when on it was revoked, or None.
    """

    number: int
    instance: int
    name: str
    hint: str
    created_ms: int
    expires_ms: int | None
    revoked_ms: int | None

    def works(self, now_ms: int) -> bool:
        """Whether requests with this key are let in."""
        return (self.expires_ms is None or now_ms < self.expires_ms) and (self.revoked_ms is None or now_ms < self.revoked_ms)


class FoundKey(NamedTuple):
    """A key that was looked for, whether it works or not, with its digest and its instance."""

    key: ApiKey
    digest: bytes
    instance: Instance


@dataclass(frozen=True, slots=True)
class Act:
    """An entry of the audit log.

    Attributes:
        at_ms: when, in milliseconds since 1970.
        actor: who: `cli:` and the user's name, or `api:` and the client's address.
        action: what, such as `key.create`.
        subject: to whom or what, such as an instance's id; may be empty.
        detail: more, as a JSON object; never a secret.
        number: the store's own name for the entry; 0 while it is not kept.
    """

    at_ms: int
    actor: str
    action: str
    subject: str
    detail: str = "{}"
    number: int = 0


class IntakeKey(NamedTuple):
    """What a number of events that came in is kept under: the day of receipt (days since 1970, UTC), the instance's number, what became of them."""

    day: int
    instance: int
    result: str


@dataclass(frozen=True, slots=True)
class Bucket:
    """What was taken out of a token bucket since it was last settled.

    Attributes:
        rate: tokens that come in, a second.
        size: tokens that it holds at most.
        taken: tokens taken out.
    """

    rate: float
    size: float
    taken: float


class AccountStore(Protocol):
    """Keeps instances and keys. Every method may be called from any thread and raises `DatabaseError`, or its future does; futures never block."""

    def create_instance(  # noqa: PLR0913 - one argument a column
        self, instance_id: UUID, name: str, now_ms: int, *, key: NewKey | None = None, act: Act | None = None, local: bool = False
    ) -> Future[Instance]:
        """Add an instance, with a key unless that is None. A second local one is not added: resolves with the first, and nothing is written."""

    def instances(self) -> list[Instance]:
        """All instances, oldest first."""

    def find_instance(self, instance_id: UUID) -> Instance | None:
        """The instance of this id."""

    def find_key(self, digest: bytes) -> Future[FoundKey | None]:
        """The key with this SHA-256, whether it works or not."""

    def list_keys(self, instance: int | None = None) -> list[ApiKey]:
        """All keys, or those of an instance, whether they work or not, oldest first."""

    def add_key(self, instance: int, key: NewKey, act: Act | None = None) -> Future[ApiKey]:
        """Add a key to an instance."""

    def replace_keys(self, instance: int, key: NewKey, end_ms: int, act: Act | None = None) -> Future[ApiKey]:
        """Add a key, and let those that the instance has end at `end_ms`, unless they end earlier.

        Those that work at `key.created_ms` get `expires_ms = end_ms`; where `end_ms` is not after `key.created_ms` they get `revoked_ms = end_ms`.
        """

    def revoke_keys(self, instance: int, now_ms: int, number: int | None = None, act: Act | None = None) -> Future[int]:
        """Revoke the instance's keys that work at `now_ms`, or the one of that number; resolves with how many those were."""

    def note(self, act: Act) -> Future[None]:
        """Write into the audit log."""

    def acts(self, limit: int, before: int | None = None) -> list[Act]:
        """The last entries of the audit log, newest first; those with numbers below `before` if it is given."""

    def setting(self, name: str) -> str | None:
        """The value that is kept under a name."""

    def keep_setting(self, name: str, value: str, act: Act | None = None, *, replace: bool = False) -> Future[str]:
        """Keep a value unless there is one, or in its place; resolves with the value that stands. `act` is written where it is this one."""

    def change_setting(self, name: str, before: str, after: str) -> Future[bool]:
        """Replace a value if it is still the one that was read; resolves with whether it was."""

    def add_intake(self, counts: Mapping[IntakeKey, int]) -> Future[None]:
        """Add to the numbers of events that came in."""

    def intake(self, first_day: int, last_day: int) -> dict[IntakeKey, int]:
        """Numbers of events that came in on some days since 1970, both included."""

    def settle(self, buckets: Mapping[str, Bucket], now_ms: int) -> Future[dict[str, float]]:
        """Take tokens out of buckets that all processes share; resolves with what each then holds, which may be less than nothing.

        A bucket that is not kept is full. A clock that goes back adds no tokens.
        """

    def forget_buckets(self, before_ms: int) -> Future[int]:
        """Forget the buckets that were last settled before a moment; resolves with how many those were."""

    def sizes(self) -> dict[str, int]:
        """How many rows there are of each: `cells`, `shares`, `instances`, `api_keys`."""
