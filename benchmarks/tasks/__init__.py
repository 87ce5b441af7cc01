"""What workers do. Each function takes the client's name and options, and says its result on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

at_last: Callable[[Callable[[], object]], object]
"""Registers what is called when the process ends, after every client's own exit handlers."""


def say(value: Any) -> None:
    """Tell the parent process something."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def ready() -> None:
    """Say that all is set up, and wait for `go`."""
    say("ready")
    go()


def go() -> None:
    """Wait for `go`."""
    sys.stdin.readline()
