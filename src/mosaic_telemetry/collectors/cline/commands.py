"""Shell commands in a task of Cline and its kin: what was run, and how it ended, which stands in the next request to the model."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from mosaic_telemetry.collectors.turns import Turn

__all__ = ["Command", "settle"]

_RESULT = "[execute_command for '"
_EXIT = re.compile(r"exit code:? (\d{1,5})", re.IGNORECASE)
_LOOKED_AT = 1_000
_DENIED = ("The user denied this operation", "User denied", "user rejected")
_RUNNING = ("still running",)
_ASKED = "REQ_APP"  # a mark of Cline's own behind a command that needs permission


@dataclass(slots=True)
class Command:
    """A command whose result has not come yet."""

    text: str
    at: tuple[int, int]
    output: list[str] = field(default_factory=list)


def settle(turn: Turn, commands: list[Command], request: str) -> None:
    """Note the results of commands; `request` is what the model was then told, empty where nothing followed."""
    at = 0
    for number, command in enumerate(commands):
        text = command.text.removesuffix(_ASKED).strip()
        said = _segment(request, text, at) if len(commands) > 1 or _RESULT in request else request
        at = request.find(said) + 1 if said else at
        head = said[len(_RESULT) + len(text) :][:_LOOKED_AT] if said.startswith(_RESULT) else said[:_LOOKED_AT]
        if any(sign in head for sign in (*_DENIED, *_RUNNING)):
            continue
        code = _EXIT.search(head)
        succeeded = int(code.group(1)) == 0 if code else None
        output = "\n".join(command.output) or said
        turn.ran(f"{command.at[0]} {command.at[1]} {number}", text, succeeded=succeeded, output=output, at=command.at)


def _segment(request: str, command: str, start: int) -> str:
    """The part of a request that tells of this command."""
    begin = request.find(_RESULT + command[:200], start)
    if begin < 0:
        return ""
    end = request.find("\n" + _RESULT, begin + 1)
    return request[begin:end] if end > 0 else request[begin:]
