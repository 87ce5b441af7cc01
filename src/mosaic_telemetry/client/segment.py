"""The files of the spool: a private directory, and in it segments of one JSON event a line.

Laws: a segment has one holder at a time, by `flock`; a line that was written whole is read again unless it was settled; a
torn line is skipped and counted. Files are 0600 in a directory of 0700 that belongs to this user; no symbolic link is
followed. Nothing is forced to the disk: what is written survives the death of the process, not that of the machine.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress

from mosaic_telemetry.client.errors import TelemetryError

try:
    import fcntl
except ImportError:  # Windows has no flock
    fcntl = None  # type: ignore[assignment]  # absent, as its users check

__all__ = ["CHECKPOINT_SUFFIX", "NOTE", "SEGMENT_SUFFIX", "Segment", "SpoolDirectory", "SpoolError"]

SEGMENT_SUFFIX = ".jsonl"
CHECKPOINT_SUFFIX = ".sent"
NOTE = "server.json"
_FLAGS = os.O_RDWR | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class SpoolError(TelemetryError):
    """Events cannot be kept on disk, and are kept in memory meanwhile."""


class _Descriptor:
    """A file descriptor that is closed when nobody uses it any more, so that its number is never used for another file before."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __del__(self) -> None:
        os.close(self.fd)


class Segment:
    """One file of events, held by this process.

    Attributes:
        name: the file's name in the spool's directory.
        size: bytes in the file.
        pending: events in it that are not settled.
        created: when it was made or, where this process took it up, last written to; in seconds since 1970.
    """

    __slots__ = ("_checkpoint", "_directory", "_fd", "created", "name", "pending", "size")

    def __init__(self, directory: _Descriptor, name: str, fd: int, size: int = 0, created: float | None = None) -> None:
        self._directory = directory
        self._fd = fd
        self._checkpoint = -1
        self.name = name
        self.size = size
        self.pending = 0
        self.created = time.time() if created is None else created

    def append(self, line: bytes) -> None:
        """Write a line by one call; raises OSError, and then the file is as it was."""
        written = 0
        try:
            written = os.write(self._fd, line)
        finally:
            if written == len(line):
                self.size += written
            else:
                os.ftruncate(self._fd, self.size)
        if written != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def is_linked(self) -> bool:
        """Whether the file is still in its directory."""
        return os.fstat(self._fd).st_nlink > 0

    def read(self) -> Iterator[tuple[int, bytes]]:
        """Offset and text of the lines after the checkpoint, each with its line feed; the last may be torn. Raises OSError."""
        start = position = self._sent()
        rest = b""
        while block := os.pread(self._fd, 1 << 16, position):
            position += len(block)
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                yield start, line + b"\n"
                start += len(line) + 1
        if rest:
            yield start, rest

    def settle_to(self, offset: int) -> None:
        """Remember that all before `offset` is settled; raises OSError."""
        if self._checkpoint < 0:
            flags = _FLAGS & ~os.O_APPEND | os.O_CREAT
            self._checkpoint = os.open(self.name + CHECKPOINT_SUFFIX, flags, 0o600, dir_fd=self._directory.fd)
        os.pwrite(self._checkpoint, b"%020d\n" % offset, 0)

    def remove(self) -> None:
        """Delete the file and let go of it; does not raise."""
        for name in (self.name, self.name + CHECKPOINT_SUFFIX):
            try:
                os.unlink(name, dir_fd=self._directory.fd)
            except OSError:
                continue
        self.close()

    def close(self) -> None:
        """Let go of the file, which stays; another process may take it up. A forked child does so with its parent's."""
        for fd in (self._fd, self._checkpoint):
            if fd >= 0:
                os.close(fd)
        self._fd = self._checkpoint = -1

    def __del__(self) -> None:
        self.close()

    def _sent(self) -> int:
        """The offset before which all is settled."""
        try:
            fd = os.open(self.name + CHECKPOINT_SUFFIX, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0), dir_fd=self._directory.fd)
        except OSError:
            return 0
        try:
            offset = int(os.read(fd, 32))
        except (OSError, ValueError):
            return 0
        finally:
            os.close(fd)
        return offset if 0 <= offset <= self.size else 0


class SpoolDirectory:
    """The directory of one server and instance.

    Args:
        root: the directory of all spools; made where it is missing.
        server_url: the server that these events are for.
        instance_id: the instance that reports them.

    Raises:
        SpoolError: it cannot be made, or is not this user's own.
    """

    def __init__(self, root: str, server_url: str, instance_id: str) -> None:
        if fcntl is None:
            raise SpoolError("this system has no flock")
        if not os.path.isabs(root):
            raise SpoolError("this user has no home directory")
        self.path = os.path.join(root, spool_name(server_url, instance_id))
        self._note = json.dumps({"server_url": server_url, "instance_id": instance_id}).encode()
        for tries in range(3):
            try:
                self._descriptor = self._enter(root)
                self._leave_note()
            except OSError as error:
                if isinstance(error, FileNotFoundError) and tries < 2:
                    continue  # another process has removed the directory, used up, in this very moment
                raise SpoolError(f"cannot spool to {root}: {error.strerror or error}") from error
            else:
                return

    def _enter(self, root: str) -> _Descriptor:
        """Make the directory where it is missing, and open it; raises OSError."""
        os.makedirs(root, mode=0o700, exist_ok=True)
        _own(root)
        with suppress(FileExistsError):
            os.mkdir(self.path, 0o700)
        _own(self.path)
        descriptor = _Descriptor(os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC))
        if stat.S_IMODE(os.fstat(descriptor.fd).st_mode) & 0o077:
            os.fchmod(descriptor.fd, 0o700)
        return descriptor

    def create(self) -> Segment:
        """A new segment, held by this process; raises OSError, FileNotFoundError where the directory was removed meanwhile."""
        while True:
            name = f"{time.time_ns() // 1_000_000:013d}-{os.getpid()}-{os.urandom(4).hex()}{SEGMENT_SUFFIX}"
            fd = os.open(name, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=self._fd)
            # Between the two calls another process may have taken the file for an abandoned one, and removed it.
            if _lock(fd) and os.fstat(fd).st_nlink:
                return Segment(self._descriptor, name, fd)
            os.close(fd)

    def adopt(self, name: str) -> Segment | None:
        """The segment of that name, now held by this process; None where its holder lives, or it is none of ours."""
        try:
            fd = os.open(name, _FLAGS, dir_fd=self._fd)
        except OSError:
            return None  # taken away meanwhile, or a link, which is not ours
        found = os.fstat(fd)
        if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and found.st_nlink == 1 and _lock(fd) and os.fstat(fd).st_nlink:
            return Segment(self._descriptor, name, fd, os.fstat(fd).st_size, found.st_mtime)
        os.close(fd)
        return None

    def names(self) -> list[str]:
        """Names of the segments, oldest first."""
        try:
            return sorted(name for name in os.listdir(self._fd) if name.endswith(SEGMENT_SUFFIX))
        except OSError:
            return []

    def is_linked(self) -> bool:
        """Whether the directory still stands where it was made."""
        try:
            return os.stat(self.path).st_ino == os.fstat(self._fd).st_ino
        except OSError:
            return False

    @property
    def _fd(self) -> int:
        return self._descriptor.fd

    def discard(self) -> None:
        """Remove the directory where no segment is left in it; does not raise.

        Another process may open it in the same moment: where it has put a segment there, the directory stays; where it has
        not yet, making one fails, and the process makes the directory anew.
        """
        try:
            names = os.listdir(self._fd)
            if any(name.endswith(SEGMENT_SUFFIX) for name in names) or not self.is_linked():
                return
            for name in names:
                if name == NOTE or name.endswith(CHECKPOINT_SUFFIX):  # of a process that was killed between two removals
                    os.unlink(name, dir_fd=self._fd)
            os.rmdir(self.path)
        except OSError:
            with suppress(OSError):
                self._leave_note()

    def _leave_note(self) -> None:
        """Say whose spool this is, for people and for `doctor`, as the name is a digest; raises OSError."""
        try:
            fd = os.open(NOTE, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=self._fd)
        except FileExistsError:
            return
        with open(fd, "wb") as file:
            file.write(self._note)


def spool_name(server_url: str, instance_id: str) -> str:
    """Name of the directory for one server and instance: events for one are never sent to another."""
    from hashlib import sha256

    return sha256(f"{server_url}\n{instance_id}".encode("utf-8", "replace")).hexdigest()[:16]


def _own(path: str) -> None:
    """Raise OSError unless `path` is a directory of this user's, and no link to one."""
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode):
        raise OSError(f"{path} is no directory")
    if found.st_uid != os.geteuid():
        raise OSError(f"{path} belongs to another user")


def _lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
