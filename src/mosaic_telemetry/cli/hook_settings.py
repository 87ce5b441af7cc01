"""Claude Code's settings file with our hook in it or without: text in, text out.

What stands there stays: order, unknown keys, other hooks, indentation, line ends. Laws: adding twice is adding once; removing what
was added gives a file that says what it said before; a file that is not understood is not touched.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

__all__ = ["SettingsError", "with_hook", "without_hook"]

_OURS = re.compile(r"mosaic[-_]telemetry\b.*\bhook claude-code\s*$")
_SECONDS = 10
"""After which Claude Code gives a hook up. Ours needs a twentieth of one."""


class SettingsError(Exception):
    """A settings file that is not understood; the text says what is wrong and where, in one line."""


def with_hook(text: str, command: str, events: Sequence[str]) -> str:
    """The settings with `command` as a hook of each event, instead of older entries of ours.

    Raises:
        SettingsError: the text is no settings file.
    """
    settings = _parse(text)
    hooks = settings.setdefault("hooks", {})
    for event in events:
        groups = hooks.setdefault(event, [])
        found = [hook for group in groups for hook in _hooks(group) if _is_ours(hook)]
        if not found:
            groups.append({"hooks": [{"type": "command", "command": command, "timeout": _SECONDS}]})
            continue
        found[0]["command"] = command
        hooks[event] = _purged(groups, found[0])
    return _written(settings, text)


def without_hook(text: str) -> str:
    """The settings without any entry of ours, and without what is empty for it.

    Raises:
        SettingsError: the text is no settings file.
    """
    settings = _parse(text)
    hooks = settings.get("hooks", {})
    for event, groups in list(hooks.items()):
        if not any(_is_ours(hook) for group in groups for hook in _hooks(group)):
            continue
        hooks[event] = _purged(groups)
        if not hooks[event]:
            del hooks[event]
            if not hooks:
                del settings["hooks"]
    return _written(settings, text)


def _purged(groups: list[dict[str, Any]], kept: Any = None) -> list[dict[str, Any]]:
    """The groups without our entries but one; a group that held nothing else goes with them."""
    left = []
    for group in groups:
        others = [hook for hook in _hooks(group) if hook is kept or not _is_ours(hook)]
        if others or not _hooks(group):
            left.append({**group, "hooks": others})
    return left


def _is_ours(hook: Any) -> bool:
    return isinstance(hook, dict) and isinstance(hook.get("command"), str) and _OURS.search(hook["command"]) is not None


def _hooks(group: dict[str, Any]) -> list[Any]:
    found: list[Any] = group["hooks"]
    return found


def _parse(text: str) -> dict[str, Any]:
    """The settings, with as much of their form checked as is relied on."""
    if not text.strip().removeprefix("\ufeff"):
        return {}
    try:
        settings = json.loads(text.removeprefix("\ufeff"), object_pairs_hook=_without_doubles)
    except json.JSONDecodeError as error:
        raise SettingsError(f"line {error.lineno}, column {error.colno}: not JSON ({error.msg})") from error
    except RecursionError as error:
        raise SettingsError("nested too deeply") from error
    if not isinstance(settings, dict):
        raise SettingsError("not a JSON object")
    hooks = settings.get("hooks", {})
    if not isinstance(hooks, dict):
        raise SettingsError('"hooks" is not an object')
    for event, groups in hooks.items():
        fits = isinstance(groups, list) and all(isinstance(group, dict) and isinstance(group.get("hooks"), list) for group in groups)
        if not fits:
            raise SettingsError(f'"hooks.{event}" is not a list of objects with a list "hooks" in each')
    return settings


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise SettingsError(f'the key "{key}" stands twice in one object')
        found[key] = value
    return found


def _written(settings: dict[str, Any], like: str) -> str:
    """The settings as text, formed like the text that they were read from; that very text where they say the same."""
    if settings == _parse(like):
        return like
    indent = re.search(r"\n([ \t]+)\S", like)
    text = json.dumps(settings, indent=indent.group(1) if indent else 2, ensure_ascii=like.isascii() and "\\u" in like)
    text += "\n" if like.endswith("\n") or not like.strip() else ""
    if "\r\n" in like:
        text = text.replace("\n", "\r\n")
    return f"\ufeff{text}" if like.startswith("\ufeff") else text
