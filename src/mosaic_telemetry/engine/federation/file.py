"""The file of published cells.

All numbers are little-endian:

    8 bytes   MTCELLS and the version, 1
    8 bytes   the length of the body
    32 bytes  the public key (Ed25519)
    64 bytes  the signature of everything else, in this order
    body      zlib, in it MessagePack: `Published`

The signature is checked before anything of the body is read, so that a file which nobody signed is never unpacked.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import msgspec

from mosaic_telemetry.engine.errors import CellsFileError
from mosaic_telemetry.engine.federation.cells import Published
from mosaic_telemetry.engine.federation.keys import KEY_SIZE, SIGNATURE_SIZE, SigningKey, holds, name_of_key
from mosaic_telemetry.forecast import LADDER, Cell

__all__ = ["MOST_BYTES", "Signed", "check_source", "read_file", "write_file"]

MOST_BYTES = 64 << 20
"""The largest file that is read; unpacked it may be eight times as large."""

_MAGIC = b"MTCELLS"
_VERSION = 1
_HEAD = struct.Struct(f"<7sBQ{KEY_SIZE}s{SIGNATURE_SIZE}s")
_UNPACKED = 8 * MOST_BYTES
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Signed:
    """What somebody publishes, as it was signed.

    Attributes:
        key: the public key of who signed it.
        published: the content.
    """

    key: bytes
    published: Published


def write_file(published: Published, key: SigningKey) -> bytes:
    """The signed file."""
    body = zlib.compress(msgspec.msgpack.encode(published), 9)
    public = key.public
    return _HEAD.pack(_MAGIC, _VERSION, len(body), public, key.sign(_signed(public, body))) + body


def read_file(data: bytes, trusted: bytes | None = None) -> Signed:
    """What `write_file` wrote.

    Args:
        data: the file.
        trusted: the only key that may have signed it; any if it is not given.

    Raises:
        CellsFileError: it is no such file, cut short, changed, of a newer version, too large, or signed with another key.
    """
    if data[: len(_MAGIC)] != _MAGIC[: len(data)] or not data:
        raise CellsFileError("this is no file of `mosaic-telemetry admin export-cells`")
    if len(data) > len(_MAGIC) and data[len(_MAGIC)] != _VERSION:
        raise CellsFileError(f"the file is of version {data[len(_MAGIC)]}, and this program reads version {_VERSION}: update mosaic-telemetry")
    if len(data) > MOST_BYTES:
        raise CellsFileError(f"the file has {len(data):,} bytes; at most {MOST_BYTES:,} are read")
    if len(data) < _HEAD.size:
        raise CellsFileError(f"the file is cut short: {len(data):,} bytes")
    _, _, length, public, signature = _HEAD.unpack_from(data)
    body = data[_HEAD.size :]
    if not holds(public, signature, _signed(public, body)):
        if len(body) < length:
            raise CellsFileError(f"the file is cut short: {len(data):,} of {_HEAD.size + length:,} bytes")
        raise CellsFileError("the file was damaged or changed: its signature does not fit")
    if trusted is not None and public != trusted:
        raise CellsFileError(f"the file is signed with {name_of_key(public)}, not with the trusted {name_of_key(trusted)}")
    return Signed(public, _checked(body))


def check_source(source: str) -> None:
    """Raise `CellsFileError` where this is no name of who publishes cells: it stands in answers, in one line."""
    if not (source.isprintable() and 0 < len(source.strip()) == len(source) <= _LONGEST):
        raise CellsFileError(f"{source[:50]!r} does not say who publishes these cells: it takes 1 to {_LONGEST} printable characters")


def _signed(public: bytes, body: bytes) -> bytes:
    return _HEAD.pack(_MAGIC, _VERSION, len(body), public, b"") + body


def _checked(body: bytes) -> Published:
    """The content, every cell of which can be read. Whoever signed it may still have made it up, but it breaks nothing."""
    try:
        unpacking = zlib.decompressobj()
        packed = unpacking.decompress(body, _UNPACKED)
        if not unpacking.eof:
            raise CellsFileError("the file is no whole file, or unpacks to more than is read")
        published = msgspec.msgpack.decode(packed, type=Published)
        check_source(published.source)
        for row in published.cells:
            if not 0 <= row.level < len(LADDER) or len(row.values) != len(LADDER[row.level]) or row.instances < 1:
                raise CellsFileError("the file names a cell that there cannot be")
            Cell.from_bytes(row.cell)
    except (zlib.error, msgspec.MsgspecError, ValueError) as error:
        raise CellsFileError(f"the file is signed, but cannot be read: {error}") from error
    return published
