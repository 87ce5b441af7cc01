"""Where opencode, and Kilo CLI which is made from it, keep their sessions.

Since 1.1 in a database, `<data>/opencode.db` (`kilo.db`); before in a tree of JSON files below `<data>/storage`:
`session/<project>/<session>.json`, `message/<session>/<message>.json`, `part/<message>/<part>.json`. After an update both are there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

__all__ = ["find_files", "is_database", "usual_places"]

_TREES = ("message", "part", "session")
_MAGIC = b"SQLite format 3\0"


def usual_places(name: str, env: Mapping[str, str], home: Path) -> Sequence[Path]:
    """The data folder: what `<NAME>_DATA_DIR` names, else the usual one for data of a user's programs."""
    if named := env.get(f"{name.upper()}_DATA_DIR"):
        return [Path(named).expanduser()]
    data = Path(env["XDG_DATA_HOME"]) if env.get("XDG_DATA_HOME") else home / ".local" / "share"
    return [data / name]


def find_files(place: Path, name: str) -> Sequence[Path]:
    """The files that hold sessions, in a fixed order: the data folder, its `storage`, a folder or a session in that, or a database."""
    if place.is_file():
        if place.suffix == ".db":
            return [place]
        return sorted({place, *_session_files(place)}) if place.suffix == ".json" else []
    if not place.is_dir():
        return []
    databases = [path for path in place.glob("*.db") if path.name.startswith(name) and path.is_file()]
    return sorted({*databases, *_tree_files(place)})


def is_database(path: Path) -> bool:
    """Whether the file is an SQLite database, by its first bytes; one that cannot be read is taken for one by its name."""
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC or path.suffix == ".db"
    except OSError:
        return path.suffix == ".db"


def _tree_files(place: Path) -> Iterator[Path]:
    storage = next((one for one in (place / "storage", place) if any((one / tree).is_dir() for tree in _TREES)), None)
    if storage is not None:
        for tree in _TREES:
            yield from _json_below(storage / tree)
    elif any(parent.name in _TREES for parent in (place, *place.parents)):
        for path in _json_below(place):
            yield path
            yield from _session_files(path)


def _session_files(path: Path) -> Iterator[Path]:
    """What belongs to a single session's or message's file."""
    kinds = {parent.name: parent.parent for parent in path.parents[:2]}
    if storage := kinds.get("session"):
        for message in _json_below(storage / "message" / path.stem):
            yield message
            yield from _json_below(storage / "part" / message.stem)
    elif storage := kinds.get("message"):
        yield from _json_below(storage / "part" / path.stem)


def _json_below(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*.json") if path.is_file())
