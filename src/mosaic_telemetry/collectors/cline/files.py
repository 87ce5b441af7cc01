"""Where Cline and the extensions made from it (Roo Code, Kilo Code) keep what they did.

Extensions and the first CLI: `<storage>/tasks/<task>/ui_messages.json`, with `task_metadata.json` beside it. The storage is a folder
of VS Code's `globalStorage`, or `~/.cline/data`. Cline CLI 3: `~/.cline/data/sessions/<session>/<session>.messages.json`, with
`<session>.json` beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

__all__ = ["CLINE_EXTENSIONS", "KILO_EXTENSIONS", "cline_places", "find_files", "is_log", "is_session", "kilo_places"]

CLINE_EXTENSIONS = ("saoudrizwan.claude-dev", "rooveterinaryinc.roo-cline")
KILO_EXTENSIONS = ("kilocode.kilo-code",)

_EDITORS = ("Code", "Code - Insiders", "VSCodium", "Cursor", "Windsurf")
_SERVERS = (".vscode-server", ".vscode-server-insiders", ".cursor-server", ".windsurf-server")
_TASKS = ("ui_messages.json", "claude_messages.json")
_SESSION = ".messages.json"


def cline_places(env: Mapping[str, str], home: Path) -> Sequence[Path]:
    """Cline's own data folder (below CLINE_DIR, or CLINE_DATA_DIR), and the extensions' folders that are there."""
    root = Path(env["CLINE_DIR"]).expanduser() if env.get("CLINE_DIR") else home / ".cline"
    data = Path(env["CLINE_DATA_DIR"]).expanduser() if env.get("CLINE_DATA_DIR") else root / "data"
    return [data, *_extension_folders(CLINE_EXTENSIONS, env, home)]


def kilo_places(env: Mapping[str, str], home: Path) -> Sequence[Path]:
    """The folders of the Kilo Code extension, and of the CLI that was made from it, as far as they are there."""
    cli = home / ".kilocode" / "cli" / "global"
    return [*_extension_folders(KILO_EXTENSIONS, env, home), *([cli] if cli.is_dir() else [])]


def _extension_folders(extensions: Sequence[str], env: Mapping[str, str], home: Path) -> Iterator[Path]:
    config = Path(env["XDG_CONFIG_HOME"]) if env.get("XDG_CONFIG_HOME") else home / ".config"
    bases = [config, home / "Library" / "Application Support", *([Path(env["APPDATA"])] if env.get("APPDATA") else [])]
    users = [base / editor / "User" for base in bases for editor in _EDITORS] + [home / server / "data" / "User" for server in _SERVERS]
    folders = (user / "globalStorage" / extension for user in users for extension in extensions)
    return (folder for folder in folders if folder.is_dir())


def find_files(place: Path, extensions: Sequence[str]) -> Sequence[Path]:
    """The files of tasks and sessions, in a fixed order: from the harness's or the editor's folder, down to one task or one file."""
    if place.is_file():
        return [place] if is_log(place) else []
    storages = [place / inner / extension for inner in (".", "globalStorage", "User/globalStorage") for extension in extensions]
    roots = [place, place / "data", *storages]
    # Only these folders: an extension's checkpoints beside them are whole repositories.
    folders = [one for root in roots for one in (root / "tasks", root / "sessions") if one.is_dir()] or [place]
    candidates = (path for folder in folders for pattern in ("*.json", "*/*.json") for path in folder.glob(pattern))
    return sorted({path for path in candidates if is_log(path) and path.is_file()})


def is_session(path: Path) -> bool:
    """Whether the file is a session of Cline CLI 3."""
    return path.name.endswith(_SESSION)


def is_log(path: Path) -> bool:
    """Whether the file is that of a task or a session, by its name."""
    return path.name in _TASKS or is_session(path)
