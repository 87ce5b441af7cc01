"""Instances and their API keys. A key is shown once, when it is made; only its SHA-256 is kept."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from uuid import UUID, uuid4

__all__ = ["KEY_BYTES", "Credentials", "digest_of", "new_credentials"]

KEY_BYTES = 32


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


def new_credentials(instance_id: UUID | None = None) -> Credentials:
    """A new key, for a new instance unless one is named."""
    return Credentials(instance_id or uuid4(), secrets.token_hex(KEY_BYTES))


def digest_of(api_key: str) -> bytes:
    """What is kept of a key. A plain hash suffices: 32 random bytes cannot be guessed, however fast the guessing."""
    return hashlib.sha256(api_key.encode(errors="surrogatepass")).digest()
