"""Claude Code session files, written as the harness writes them, and reading them back."""

import gzip
import json
import os
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import mosaic_telemetry.cli
from mosaic_telemetry.collectors import COLLECTORS, Collection, Skipped, to_event

RECORDINGS = Path(mosaic_telemetry.cli.__file__).parent / "demo_data" / "claude-code-2.1.197"
INSTANCE = "5a6ad2f0-4b87-4f1e-9a52-0d1c2b3a4f5e"
CLAUDE_CODE = COLLECTORS[0]
START = int(datetime(2026, 3, 1, 9, 0, tzinfo=UTC).timestamp() * 1000)
LATER = START + 30 * 86_400_000


def test_data(*parts: str) -> Path:
    """A folder of the real recordings that are not part of the project; skips the test without them."""
    root = os.environ.get("MOSAIC_TELEMETRY_TEST_DATA")
    if not root:
        pytest.skip("MOSAIC_TELEMETRY_TEST_DATA does not name the folder of recordings")
    path = Path(root).joinpath(*parts)
    if not path.exists():
        pytest.skip(f"MOSAIC_TELEMETRY_TEST_DATA has no {'/'.join(parts)}")
    return path


test_data.__test__ = False  # type: ignore[attr-defined]  # pytest would take it for a test


class Transcript:
    """One session file in the making. Times are seconds after its start; each record's parent is the one before."""

    def __init__(self, session: str = "", version: str = "2.1.197", seed: int = 1, agent: str = "") -> None:
        self.session = session or str(uuid.UUID(int=seed << 64, version=4))
        self.version = version
        self.agent = agent
        self.records: list[dict[str, Any]] = []
        self._seed = seed
        self._parent: str | None = None

    def add(self, kind: str, at: float, **fields: Any) -> dict[str, Any]:
        """Any record."""
        record = {
            "parentUuid": self._parent,
            "isSidechain": bool(self.agent),
            "type": kind,
            "uuid": str(uuid.UUID(int=(self._seed << 64) + len(self.records) + (hash_of(self.agent) << 32), version=4)),
            "timestamp": datetime.fromtimestamp((START + at * 1000) / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "sessionId": self.session,
            "version": self.version,
            "cwd": "/home/someone/secret-project",
            **({"agentId": self.agent} if self.agent else {}),
            **fields,
        }
        self._parent = record["uuid"]
        self.records.append(record)
        return record

    def prompt(self, at: float, text: Any = "Implement the parser", **fields: Any) -> dict[str, Any]:
        return self.add("user", at, message={"role": "user", "content": text}, **fields)

    def answer(self, at: float, call: str, output: int = 100, tools: Sequence[dict[str, Any]] = (), stop: str | None = None, **fields: Any) -> dict[str, Any]:
        """An answer of the model: 10 tokens uncached, 1,000 from the cache, 200 into it."""
        usage = {"input_tokens": 10, "cache_read_input_tokens": 1000, "cache_creation_input_tokens": 200, "output_tokens": output}
        message = {
            "id": call,
            "role": "assistant",
            "model": fields.pop("model", "claude-sonnet-4-5"),
            "content": list(tools) or [{"type": "text", "text": "word"}],
            "stop_reason": stop or ("tool_use" if tools else "end_turn"),
            "usage": fields.pop("usage", usage),
        }
        return self.add("assistant", at, message=message, requestId=f"req_{call}", **fields)

    def result(self, at: float, use: str, text: str = "", *, failed: bool = False, result: Any = None) -> dict[str, Any]:
        block = {"type": "tool_result", "tool_use_id": use, "content": text, "is_error": failed}
        return self.add("user", at, message={"role": "user", "content": [block]}, toolUseResult=result if result is not None else text or "done")

    def bash(self, at: float, command: str, text: str = "", *, failed: bool = False, took: float = 1.0, call: str = "") -> None:
        """A shell command: the model's call, and its result after `took` seconds."""
        number = len(self.records)
        use = f"toolu_{self.session}{self.agent}{number}"
        self.answer(at, call or f"msg_{self.session}{self.agent}{number}", tools=[tool("Bash", use, command=command)])
        self.result(at + took, use, text, failed=failed)

    @property
    def lines(self) -> list[str]:
        return [json.dumps(record) for record in self.records]

    def write(self, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(line + "\n" for line in self.lines)
        if path.suffix == ".gz":
            path.write_bytes(gzip.compress(text.encode()))
        else:
            path.write_text(text, encoding="utf-8")
        return path


def hash_of(text: str) -> int:
    """A small number that is always the same for a text."""
    return sum(text.encode()) % 65_536


def tool(name: str, use: str, **arguments: Any) -> dict[str, Any]:
    """A block in which the model calls a tool."""
    return {"type": "tool_use", "id": use, "name": name, "input": arguments}


class Heard:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.read = 0
        self.skipped: list[Skipped] = []

    def advance(self, size: int) -> None:
        self.read += size

    def skip(self, skipped: Skipped) -> None:
        self.skipped.append(skipped)


def collect(place: Path, now_ms: int = LATER, heard: Heard | None = None) -> Collection:
    """What the collector finds in a place."""
    return CLAUDE_CODE.collect(CLAUDE_CODE.find(place), now_ms=now_ms, watcher=heard or Heard())


def events_of(collection: Collection) -> list[dict[str, Any]]:
    """The events, as plain dictionaries."""
    return [vars(to_event(task, INSTANCE).event) for task in collection.tasks]
