"""Where things lie on this machine. Imports next to nothing: an agent may wait for who asks."""

from __future__ import annotations

import os
import sys

__all__ = ["database_path"]


def database_path() -> str:
    """Where the local database lies unless `--database` says otherwise: the user's data directory (XDG or the platform's)."""
    home = os.path.expanduser("~")
    base = os.environ.get("XDG_DATA_HOME", "")
    if not os.path.isabs(base):  # XDG: a relative path is to be ignored
        if sys.platform == "win32":
            base = os.environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
        elif sys.platform == "darwin":
            base = os.path.join(home, "Library", "Application Support")
        else:
            base = os.path.join(home, ".local", "share")
    return os.path.join(base, "mosaic-telemetry", "telemetry.db")
