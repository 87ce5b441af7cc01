"""The log: lines for a person or JSON, each with the id of the request that it belongs to, never with a secret."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

__all__ = ["REQUEST_ID", "configure", "without_secrets"]

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")

# Nothing here writes a key into the log on purpose; this is for texts of others, such as an exception that quotes a header.
# A bearer token ends at a quotation mark, so that a JSON object around it stays one.
_SECRETS = re.compile(r"""(?i)(bearer\s+)[^\s"\\]+|[0-9a-f]{64,}|(?<=://)[^/@\s]+@""")
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


def without_secrets(text: str, secrets: Sequence[str] = ()) -> str:
    """The text with keys, bearer tokens and passwords in URLs blotted out.

    Args:
        text: of a log; it may be JSON.
        secrets: more that is to be blotted out, of any form.
    """
    for secret in secrets:
        for form in (secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]):
            text = text.replace(form, "<secret>")
    return _SECRETS.sub(lambda found: f"{found[1] or ''}<secret>", text)


def configure(level: str, form: str, stream: TextIO | None = None, secrets: Sequence[str] = ()) -> None:
    """Let everything that this process logs go to one place in one form.

    Args:
        level: the least level, such as `info`.
        form: `text` or `json`.
        stream: where to, standard error by default.
        secrets: what is never to stand there, beside what looks like a secret by its form.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter((_Json if form == "json" else _Text)(secrets))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        log = logging.getLogger(name)
        log.handlers.clear()
        log.propagate = True


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    """What was given as `extra`, and the request's id."""
    extra = {name: value for name, value in vars(record).items() if name not in _OWN}
    request_id = REQUEST_ID.get()
    return extra | {"request_id": request_id} if request_id else extra


class _Formatter(logging.Formatter):
    def __init__(self, secrets: Sequence[str]) -> None:
        super().__init__()
        self._secrets = [secret for secret in secrets if secret]


class _Text(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        extra = "".join(f" {name}={value}" for name, value in _extra(record).items())
        line = f"{_time(record)} {record.levelname} {record.name}: {record.getMessage()}{extra}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return without_secrets(line, self._secrets)


class _Json(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {"time": _time(record), "level": record.levelname.lower(), "logger": record.name, "message": record.getMessage(), **_extra(record)}
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return without_secrets(json.dumps(entry, ensure_ascii=False, default=str), self._secrets)
