"""Where the measured clients live: an environment of their own, never the project's."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "benchmarks"
VENV = ROOT / ".venvs" / "peers"
PYTHON = VENV / "bin" / "python"


def require_peers() -> None:
    """Say what to do where the clients are not installed."""
    if not (VENV / ".installed").exists():
        raise SystemExit("The measured clients are not installed: run `make bench`, or `python benchmarks/install_peers.py` first.")


@cache
def scratch() -> Path:
    """A directory for everything that this run leaves behind; removed at its end."""
    path = Path(tempfile.mkdtemp(prefix="mosaic-bench-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def clean_environment() -> dict[str, str]:
    """Variables for a measured process: no proxy, no settings of any client, a home of its own."""
    home = str(scratch())
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": home, "TMPDIR": home, "LANG": "C.UTF-8", "NO_PROXY": "*"}
