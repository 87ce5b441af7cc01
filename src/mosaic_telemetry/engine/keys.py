"""Keys: 64 hexadecimal characters, of which the first say what it is and the last are a checksum, so that people and scanners know one when they see it.

    7e1e00 + 50 random characters (200 bits) + CRC-32 of those before     an API key
    7e1ead + 50 random characters (200 bits) + CRC-32 of those before     an admin key

A plain SHA-256 suffices to keep one: 200 random bits cannot be guessed, however fast the guessing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from enum import StrEnum
from zlib import crc32

__all__ = ["KeyKind", "digest_of", "hint_of", "kind_of", "new_key", "same"]

_RANDOM_BYTES = 25
_HINT = 6


class KeyKind(StrEnum):
    """What a key opens; the value is its first characters."""

    API = "7e1e00"
    ADMIN = "7e1ead"


def new_key(kind: KeyKind) -> str:
    """A new key; a secret."""
    body = kind + secrets.token_hex(_RANDOM_BYTES)
    return body + _checksum(body)


def kind_of(key: str) -> KeyKind | None:
    """What a key is by its form; None where it is none of ours, or was mistyped."""
    if not re.fullmatch("[0-9a-f]{64}", key) or _checksum(key[:-8]) != key[-8:]:
        return None
    return next((kind for kind in KeyKind if key.startswith(kind)), None)


def digest_of(key: str) -> bytes:
    """What is kept of a key: its SHA-256."""
    return hashlib.sha256(key.encode(errors="surrogatepass")).digest()


def hint_of(key: str) -> str:
    """The last characters of a key, for people to tell keys apart."""
    return key[-_HINT:]


def same(one: bytes, other: bytes) -> bool:
    """Whether two digests are the same, in a time that does not depend on where they differ."""
    return hmac.compare_digest(one, other)


def _checksum(body: str) -> str:
    return f"{crc32(body.encode()):08x}"
