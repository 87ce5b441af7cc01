"""Instances, their API keys, the admin key and the audit log. A key is shown once, when it is made; only its SHA-256 is kept."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID, uuid4

from mosaic_telemetry.engine.errors import AccountError, UnknownInstanceError, UnknownKeyError
from mosaic_telemetry.engine.keys import KeyKind, digest_of, hint_of, new_key, same
from mosaic_telemetry.engine.store import AccountStore, Act, ApiKey, FoundKey, Instance, NewKey

__all__ = ["LONGEST_NAME", "NAME_PATTERN", "Accounts", "Credentials", "IssuedKey"]

_ADMIN_KEY = "admin_key"
LONGEST_NAME = 200
"""Characters of a name."""

NAME_PATTERN = "^[^\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029]*$"
"""A name stands in one line: it has no control characters."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client needs to report events.

    Attributes:
        instance_id: the instance.
        api_key: 64 hexadecimal characters; a secret.
    """

    instance_id: UUID
    api_key: str

    def __repr__(self) -> str:
        return f"Credentials(instance_id={self.instance_id!r}, api_key=<secret>)"


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key that was just made.

    Attributes:
        key: how it is kept.
        credentials: it itself, with the instance's id; a secret.
    """

    key: ApiKey
    credentials: Credentials


class Accounts:
    """What administrators do, and who is let in.

    Every act that changes something takes `actor`, who does it, and stands in the audit log.
    All methods raise `DatabaseError` where the store fails.

    Args:
        store: where accounts are kept.
        now: the time, in seconds since 1970.
    """

    def __init__(self, store: AccountStore, now: Callable[[], float]) -> None:
        self._store = store
        self._now = now

    def find(self, api_key: str) -> FoundKey | None:
        """The key, if it works at this moment, with its instance; made, revoked or expired by whatever process."""
        digest = digest_of(api_key)
        return self._working(self._store.find_key(digest).result(), digest)

    async def afind(self, api_key: str) -> FoundKey | None:
        """As `find`, for an event loop, which goes on while the store answers."""
        digest = digest_of(api_key)
        found = self._store.find_key(digest)
        return self._working(found.result() if found.done() else await asyncio.wrap_future(found), digest)

    def create_instance(self, name: str = "", *, actor: str = "", key_name: str = "", lifetime: float | None = None) -> IssuedKey:
        """Add an instance with a key.

        Args:
            name: what to call it.
            actor: who does this.
            key_name: what to call the key.
            lifetime: seconds after which the key works no longer; None for never.

        Raises:
            AccountError: a name is too long, or the lifetime is not above 0.
        """
        instance_id = uuid4()
        secret, key = self._new_key(key_name, lifetime)
        act = self._act(actor, "instance.create", instance_id, name=_checked(name), key=key.hint)
        instance = self._store.create_instance(instance_id, name, key.created_ms, key=key, act=act).result()
        (kept,) = self._store.list_keys(instance.number)
        return IssuedKey(kept, Credentials(instance_id, secret))

    def local_instance(self) -> Instance:
        """The instance under which commands report that work on the database themselves; made where there is none. It has no key."""
        return self._store.create_instance(uuid4(), "local", self.now_ms(), local=True).result()

    def instances(self) -> list[Instance]:
        """All instances, oldest first."""
        return self._store.instances()

    def instance(self, instance_id: UUID) -> Instance:
        """The instance of this id.

        Raises:
            UnknownInstanceError: there is none.
        """
        instance = self._store.find_instance(instance_id)
        if instance is None:
            raise UnknownInstanceError(f"there is no instance {instance_id}; `mosaic-telemetry admin list` shows those there are")
        return instance

    def keys(self, instance: Instance | None = None) -> list[ApiKey]:
        """All keys, or those of an instance, whether they work or not, oldest first."""
        return self._store.list_keys(None if instance is None else instance.number)

    def add_key(self, instance_id: UUID, name: str = "", *, actor: str = "", lifetime: float | None = None) -> IssuedKey:
        """Add a key to an instance, beside those it has.

        Raises:
            UnknownInstanceError: there is no such instance.
            AccountError: as `create_instance`.
        """
        instance = self.instance(instance_id)
        secret, key = self._new_key(name, lifetime)
        kept = self._store.add_key(instance.number, key, self._act(actor, "key.create", instance_id, name=name, key=key.hint)).result()
        return IssuedKey(kept, Credentials(instance_id, secret))

    def rotate(self, instance_id: UUID, *, actor: str = "", overlap: float = 0.0, name: str = "", lifetime: float | None = None) -> IssuedKey:
        """Put a new key in the place of those that an instance has.

        Args:
            instance_id: whose keys.
            actor: who does this.
            overlap: seconds that the old keys go on working; 0 revokes them at once.
            name: what to call the new key.
            lifetime: seconds after which the new key works no longer; None for never.

        Raises:
            UnknownInstanceError: there is no such instance.
            AccountError: as `create_instance`, or the overlap is below 0.
        """
        if not 0 <= overlap < float("inf"):
            raise AccountError(f"an overlap of {overlap:g} seconds is none; give 0 or more")
        instance = self.instance(instance_id)
        secret, key = self._new_key(name, lifetime)
        act = self._act(actor, "key.rotate", instance_id, key=key.hint, overlap_seconds=overlap)
        kept = self._store.replace_keys(instance.number, key, key.created_ms + int(overlap * 1000), act).result()
        return IssuedKey(kept, Credentials(instance_id, secret))

    def revoke(self, instance_id: UUID, number: int | None = None, *, actor: str = "") -> int:
        """Revoke an instance's keys, or the one of this number, at once; returns how many worked until now. Its events stay.

        Raises:
            UnknownInstanceError: there is no such instance.
            UnknownKeyError: it has no key of this number.
        """
        instance = self.instance(instance_id)
        if number is not None and all(key.number != number for key in self.keys(instance)):
            raise UnknownKeyError(f"the instance {instance_id} has no key {number}; `mosaic-telemetry admin keys` shows those it has")
        act = self._act(actor, "key.revoke", instance_id, **({} if number is None else {"number": number}))
        return self._store.revoke_keys(instance.number, self.now_ms(), number, act).result()

    def make_admin_key(self, *, actor: str = "", replace: bool = False) -> str | None:
        """A new admin key, unless there is one and it is not to be replaced."""
        if not replace and self._store.setting(_ADMIN_KEY) is not None:
            return None
        secret = new_key(KeyKind.ADMIN)
        digest = digest_of(secret)
        act = self._act(actor, "admin_key.create", "", key=hint_of(secret))
        kept = self._store.keep_setting(_ADMIN_KEY, digest.hex(), act, replace=replace).result()
        return secret if same(bytes.fromhex(kept), digest) else None

    def is_admin_key(self, key: str) -> bool:
        """Whether it is the admin key that the store knows."""
        kept = self.admin_digest()
        return kept is not None and same(kept, digest_of(key))

    def admin_digest(self) -> bytes | None:
        """The SHA-256 of the admin key that the store knows; None where it knows none."""
        kept = self._store.setting(_ADMIN_KEY)
        return None if kept is None else bytes.fromhex(kept)

    def note(self, actor: str, action: str, subject: UUID | str, **detail: object) -> None:
        """Write an act into the audit log."""
        self._store.note(self._act(actor, action, subject, **detail)).result()

    def acts(self, limit: int = 100, before: int | None = None) -> list[Act]:
        """The last entries of the audit log, newest first; those with numbers below `before` if it is given."""
        return self._store.acts(limit, before)

    def _working(self, found: FoundKey | None, digest: bytes) -> FoundKey | None:
        return found if found and same(found.digest, digest) and found.key.works(self.now_ms()) else None

    def now_ms(self) -> int:
        """The time, in milliseconds since 1970."""
        return int(self._now() * 1000)

    def _new_key(self, name: str, lifetime: float | None) -> tuple[str, NewKey]:
        if lifetime is not None and not 0 < lifetime < float("inf"):
            raise AccountError(f"a key that works for {lifetime:g} seconds is none; give a time above 0")
        secret, now_ms = new_key(KeyKind.API), self.now_ms()
        expires_ms = None if lifetime is None else now_ms + int(lifetime * 1000)
        return secret, NewKey(digest_of(secret), _checked(name), hint_of(secret), now_ms, expires_ms)

    def _act(self, actor: str, action: str, subject: UUID | str, **detail: object) -> Act:
        return Act(self.now_ms(), actor, action, str(subject), json.dumps(detail, ensure_ascii=False))


def _checked(name: str) -> str:
    if len(name) > LONGEST_NAME or not re.match(NAME_PATTERN + r"\Z", name):
        raise AccountError(f"a name has at most {LONGEST_NAME} characters, and no control characters")
    return name
