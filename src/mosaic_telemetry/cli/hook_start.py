"""`mosaic-telemetry hook claude-code`, the part that Claude Code waits for.

It reads the payload, hands it to a process of its own, and is gone: prices alone take longer to load than a hook may last, and the
session's last record is often written only after the hook has begun. Laws: the exit code is always 0, nothing is written to
standard output, and nothing is imported that reading a payload does not need.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["EVENTS", "main", "state_directory"]

EVENTS = ("Stop", "SubagentStop", "SessionEnd")
"""The hook events that are of use; others are passed over."""

_WORKER = "mosaic_telemetry.cli.hook_worker"
_LARGEST_PAYLOAD = 16 * 1024 * 1024
_LONGEST_PATH = 8_192
_LARGEST_LOG = 256 * 1024

Spawn = Callable[[bytes], None]
"""Starts the worker, with a job on its standard input, and does not wait for it."""


def main(spawn: Spawn | None = None) -> int:
    """Take the payload on standard input; returns 0 whatever happens.

    Args:
        spawn: starts the worker.
    """
    try:
        job = job_of(sys.stdin.buffer.read(_LARGEST_PAYLOAD))
        if job is not None:
            (spawn or _spawn)(json.dumps(job).encode())
    except BaseException as error:  # noqa: BLE001 - a hook that fails would disturb the agent's work
        log(str(error) or type(error).__name__)
    return 0


def job_of(payload: bytes) -> Mapping[str, str] | None:
    """What the worker has to know of a payload; None for one of another event.

    Raises:
        ValueError: it is no hook payload; the text says why, without quoting it.
    """
    try:
        found: Any = json.loads(payload)
    except (ValueError, RecursionError):
        raise ValueError(f"the payload on standard input ({len(payload):,} bytes) is not JSON") from None
    if not isinstance(found, dict):
        raise TypeError("the payload on standard input is not a JSON object")
    event, transcript = found.get("hook_event_name"), found.get("transcript_path")
    if isinstance(event, str) and event not in EVENTS:
        return None
    if not isinstance(event, str) or not isinstance(transcript, str) or not transcript or len(transcript) > _LONGEST_PATH:
        raise ValueError("the payload on standard input lacks hook_event_name or transcript_path")
    return {"event": event, "transcript": os.path.abspath(os.path.expanduser(transcript))}


def _spawn(job: bytes) -> None:
    """Start the worker in a session of its own, so that neither the agent waits for it nor its end ends it."""
    command = [sys.executable, "-m", _WORKER]
    if not hasattr(os, "posix_spawn"):
        import subprocess

        flags = getattr(subprocess, "DETACHED_PROCESS", 0) | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
        nothing = subprocess.DEVNULL
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=nothing, stderr=nothing, creationflags=flags) as process:  # noqa: S603 - our own module
            assert process.stdin is not None  # noqa: S101 - narrows the type
            process.stdin.write(job)
            process.stdin.close()
            process.returncode = 0  # nobody waits for it
        return
    reading, writing = os.pipe()
    nowhere = os.open(os.devnull, os.O_RDWR)
    try:
        actions = [(os.POSIX_SPAWN_DUP2, reading, 0), (os.POSIX_SPAWN_DUP2, nowhere, 1), (os.POSIX_SPAWN_DUP2, nowhere, 2)]
        os.posix_spawn(sys.executable, command, os.environ, file_actions=actions, **_own_session())
        os.write(writing, job)  # a path or two: less than any pipe takes at once
    finally:
        for descriptor in (reading, writing, nowhere):
            os.close(descriptor)


def _own_session() -> dict[str, Any]:
    # Not every C library has POSIX_SPAWN_SETSID, and Python tells only when it is asked; a process group is enough there.
    return {"setsid": True} if sys.platform == "linux" else {"setpgroup": 0}


def state_directory() -> str:
    """Where the hook keeps its log and what it has read: in the user's state directory (XDG's or the platform's)."""
    join, home = os.path.join, os.path.expanduser("~")
    base = os.environ.get("XDG_STATE_HOME", "")
    if os.path.isabs(base):
        return join(base, "mosaic-telemetry", "hook")
    if sys.platform == "win32":
        return join(os.environ.get("LOCALAPPDATA") or join(home, "AppData", "Local"), "mosaic-telemetry", "hook")
    return join(home, *(("Library", "Application Support") if sys.platform == "darwin" else (".local", "state")), "mosaic-telemetry", "hook")


def log(text: str) -> None:
    """Add a line to the hook's log, which begins anew when it has grown large. Never raises."""
    import time

    try:
        folder = state_directory()
        os.makedirs(folder, mode=0o700, exist_ok=True)
        path = os.path.join(folder, "hook.log")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            if os.fstat(descriptor).st_size > _LARGEST_LOG:
                os.ftruncate(descriptor, 0)
            line = f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {' '.join(text.split())[:1000]}\n"
            os.write(descriptor, line.encode("utf-8", "replace"))
        finally:
            os.close(descriptor)
    except OSError:
        return
