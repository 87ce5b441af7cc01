"""Predictions on disk, so that a process that lives for a second starts with those of the one before it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator

from mosaic_telemetry.schema import PredictionQuery, PredictionResponse, ValidationError, from_dict, to_dict

__all__ = ["load", "save"]

_MAX_BYTES = 16 * 1024 * 1024


def load(path: str, server_url: str, now: float) -> Iterator[tuple[PredictionQuery, PredictionResponse, float]]:
    """The predictions of a server in a file, each with the seconds that it is still to live; nothing where the file is none.

    Args:
        path: the file.
        server_url: predictions of other servers are passed over.
        now: seconds since 1970.
    """
    try:
        with open(path, "rb") as file:
            content = json.loads(file.read(_MAX_BYTES))
        entries = content["servers"][server_url]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return
    for entry in entries if isinstance(entries, list) else ():
        try:
            left = float(entry["expires"]) - now
            query, response = from_dict(PredictionQuery, entry["query"]), from_dict(PredictionResponse, entry["response"])
        except (ValidationError, KeyError, TypeError, ValueError):
            continue
        yield query, response, left


def save(path: str, server_url: str, entries: Iterable[tuple[PredictionQuery, PredictionResponse, float]], now: float) -> None:
    """Write the predictions of a server, as a whole and for this user alone; raises OSError.

    Args:
        path: the file; what it holds of other servers is kept.
        server_url: the server.
        entries: query, answer and seconds still to live.
        now: seconds since 1970.
    """
    try:
        with open(path, "rb") as file:
            servers = dict(json.loads(file.read(_MAX_BYTES))["servers"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        servers = {}
    servers[server_url] = [{"query": to_dict(query), "response": to_dict(response), "expires": now + left} for query, response, left in entries]
    part = f"{path}.{os.urandom(8).hex()}.part"  # a name of its own: threads and processes may save at the same time
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(fd, "w", encoding="utf-8") as file:
            json.dump({"servers": servers}, file)
        os.replace(part, path)
    except BaseException:
        os.unlink(part)
        raise
