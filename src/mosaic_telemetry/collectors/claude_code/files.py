"""Where Claude Code keeps its sessions.

`<config>/projects/<working folder with / as ->/<session>.jsonl`; what a subagent did stands in `agent-<id>.jsonl` beside it or,
in newer versions, in `<session>/subagents/agent-<id>.jsonl`. Old files may be gzipped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["find_files", "stem_of", "usual_places"]

_SUFFIXES = (".jsonl", ".jsonl.gz")


def usual_places(env: Mapping[str, str], home: Path) -> Sequence[Path]:
    """The folders of sessions: those that CLAUDE_CONFIG_DIR names (separated by commas), else `~/.claude` and `~/.config/claude`."""
    named = [Path(part.strip()).expanduser() for part in env.get("CLAUDE_CONFIG_DIR", "").split(",") if part.strip()]
    config = Path(env["XDG_CONFIG_HOME"]) if env.get("XDG_CONFIG_HOME") else home / ".config"
    return [place / "projects" for place in named or [home / ".claude", config / "claude"]]


def find_files(place: Path) -> Sequence[Path]:
    """The session files in a place, in a fixed order: a configuration folder, its `projects`, a project or one file."""
    if place.is_file():
        return [place] if place.name.endswith(_SUFFIXES) else []
    root = place / "projects" if (place / "projects").is_dir() else place
    # A configuration folder holds other .jsonl files (the prompt history), but only below `projects` are there sessions.
    return sorted(path for path in root.rglob("*") if path.name.endswith(_SUFFIXES) and path.is_file())


def stem_of(path: Path) -> str:
    """A file's name without `.jsonl` and `.gz`: the id of the session, or `agent-<id>`."""
    return path.name.removesuffix(".gz").removesuffix(".jsonl")
