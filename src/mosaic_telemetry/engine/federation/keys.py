"""Keys that sign what a server publishes: Ed25519 (RFC 8032), kept as PKCS #8 in a PEM file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from mosaic_telemetry.engine.errors import CellsFileError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["KEY_SIZE", "SIGNATURE_SIZE", "SigningKey", "holds", "key_of", "name_of_key"]

KEY_SIZE, SIGNATURE_SIZE = 32, 64

_PREFIX = "ed25519:"


def name_of_key(public: bytes) -> str:
    """A public key as it is shown: `ed25519:` and 64 hexadecimal characters."""
    return _PREFIX + public.hex()


def key_of(name: str) -> bytes:
    """The public key of this name.

    Raises:
        CellsFileError: it is none.
    """
    try:
        public = bytes.fromhex(name.strip().removeprefix(_PREFIX))
    except ValueError:
        public = b""
    if len(public) != KEY_SIZE:
        raise CellsFileError(f"{name!r} is no public key: it is {_PREFIX} and 64 hexadecimal characters")
    return public


def holds(public: bytes, signature: bytes, signed: bytes) -> bool:
    """Whether the owner of a key has signed this."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, signed)
    except (InvalidSignature, ValueError):
        return False
    return True


@dataclass(frozen=True, slots=True, repr=False)
class SigningKey:
    """A private key; a secret."""

    _key: Ed25519PrivateKey

    @classmethod
    def read(cls, path: Path) -> Self:
        """The key in a PEM file.

        Raises:
            CellsFileError: there is none.
        """
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            key = load_pem_private_key(path.read_bytes(), None)
        except OSError as error:
            raise CellsFileError(f"cannot read the signing key {path}: {error.strerror}; --new-key makes one there") from error
        except (ValueError, TypeError) as error:  # TypeError: it is encrypted
            raise CellsFileError(f"{path} is no private key in PEM without a passphrase") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise CellsFileError(f"{path} is a private key, but none of Ed25519")
        return cls(key)

    @classmethod
    def make(cls, path: Path) -> Self:
        """A new key, kept in a new file that its owner alone may read.

        Raises:
            CellsFileError: the file is there already, or cannot be made.
        """
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        key = Ed25519PrivateKey.generate()
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        except FileExistsError as error:
            raise CellsFileError(f"{path} is there already: leave out --new-key to sign with it") from error
        except OSError as error:
            raise CellsFileError(f"cannot make the signing key {path}: {error.strerror}") from error
        return cls(key)

    @property
    def public(self) -> bytes:
        """The public key."""
        return self._key.public_key().public_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        """The signature of some bytes: the same for the same bytes."""
        return self._key.sign(data)
