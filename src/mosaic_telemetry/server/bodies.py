"""Reading the body of a request: within limits of size, time and memory, unpacked where it is packed."""

from __future__ import annotations

import asyncio
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Protocol

from starlette.requests import Request

from mosaic_telemetry.engine import OverloadedError
from mosaic_telemetry.server.errors import ApiError
from mosaic_telemetry.server.state import state_of

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["ACCEPTED_CODINGS", "MAX_BODY_BYTES", "Readers", "read_body"]

MAX_BODY_BYTES = 1 << 20
"""Of a body, as it comes and unpacked."""

ACCEPTED_CODINGS = "gzip, zstd"
"""For the header Accept-Encoding of answers (RFC 9110, section 12.5.3)."""

_MAX_WAITING_BYTES = 64 << 20
_ZSTD_WINDOW_LOG = 23  # 8 MB: the most that a decoder has to support (RFC 8878), where a hostile frame asks for gigabytes


class _Unpacker(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class Readers:
    """The memory of all bodies that are being read in this process."""

    def __init__(self, limit: int = _MAX_WAITING_BYTES) -> None:
        self._limit = limit
        self._bytes = 0

    @contextmanager
    def taking(self, size: int) -> Iterator[None]:
        """Reserve so many bytes for the block.

        Raises:
            OverloadedError: there are not so many.
        """
        if self._bytes + size > self._limit:
            raise OverloadedError("too many requests are being read")
        self._bytes += size
        try:
            yield
        finally:
            self._bytes -= size


async def read_body(request: Request, limit: int = MAX_BODY_BYTES) -> bytes:
    """The whole body, unpacked, of at most `limit` bytes.

    A larger one is refused at its Content-Length or as soon as it has grown too large. What the client still sends then is
    read and thrown away by the HTTP layer, so that the client comes to read the answer.

    Raises:
        ApiError: 400, 408, 413, 415.
        OverloadedError: too many bodies are being read.
    """
    unpack = _unpacker(request)
    declared = request.headers.get("content-length", "")
    size = int(declared) if declared.isdigit() else limit
    if size > limit:
        raise _too_large(limit)
    readers: Readers = request.app.state.readers
    with readers.taking(size):
        body = await _read_in_time(request, limit)
    return unpack(body, limit)


async def _read_in_time(request: Request, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    seconds = state_of(request).settings.body_seconds
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    raise _too_large(limit)
                chunks.append(chunk)
    except TimeoutError as error:
        raise ApiError(408, f"the body did not come within {seconds:g} seconds", {"Connection": "close"}) from error
    return b"".join(chunks)


def _unpacker(request: Request) -> Callable[[bytes, int], bytes]:
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    try:
        return _CODINGS[coding]
    except KeyError:
        text = f"the body is coded as {coding[:40]!r}, which is not understood; send it as it is, or as {ACCEPTED_CODINGS}"
        raise ApiError(415, text, {"Accept-Encoding": ACCEPTED_CODINGS}) from None


def _plain(body: bytes, _: int) -> bytes:
    return body


def _gunzip(body: bytes, limit: int) -> bytes:
    return _unpack("gzip", partial(zlib.decompressobj, wbits=31), zlib.error, body, limit)


def _unzstd(body: bytes, limit: int) -> bytes:
    options = {int(zstd.DecompressionParameter.window_log_max): _ZSTD_WINDOW_LOG}
    return _unpack("zstd", partial(zstd.ZstdDecompressor, options=options), zstd.ZstdError, body, limit)


def _unpack(coding: str, unpacker: Callable[[], _Unpacker], broken: type[Exception], body: bytes, limit: int) -> bytes:
    """Never makes more than one byte too much, whatever the body would become."""
    parts: list[bytes] = []
    left = limit
    while body or not parts:  # both codings may have several parts one after the other
        part_of = unpacker()
        try:
            parts.append(part_of.decompress(body, left + 1))
        except broken as error:
            raise _broken(coding) from error
        left -= len(parts[-1])
        if left < 0:
            raise _too_large(limit)
        if not part_of.eof:
            raise _broken(coding)
        body = part_of.unused_data
    return b"".join(parts)


_CODINGS: dict[str, Callable[[bytes, int], bytes]] = {"identity": _plain, "gzip": _gunzip, "x-gzip": _gunzip, "zstd": _unzstd}


def _broken(coding: str) -> ApiError:
    return ApiError(400, f"the body is not whole {coding}, as its Content-Encoding says")


def _too_large(limit: int) -> ApiError:
    return ApiError(413, f"the body is larger than {limit:,} bytes; send fewer events at once")
