"""Sessions of opencode, written as it writes them: in its database, or as the tree of files of older versions."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import mosaic_telemetry.cli
from mosaic_telemetry.collectors import COLLECTORS, Collection, to_event
from support.transcripts import INSTANCE, START, Heard

DEMO = Path(mosaic_telemetry.cli.__file__).parent / "demo_data"
LATER = 1_795_400_000_000 + 30 * 86_400_000
TABLES = """
CREATE TABLE IF NOT EXISTS session (id text PRIMARY KEY, parent_id text, version text, title text);
CREATE TABLE IF NOT EXISTS message (id text PRIMARY KEY, session_id text NOT NULL, time_created integer NOT NULL, data text NOT NULL);
CREATE TABLE IF NOT EXISTS part (id text PRIMARY KEY, message_id text NOT NULL, session_id text NOT NULL, data text NOT NULL);
"""


def named(name: str) -> Any:
    """The collector of that name."""
    return next(collector for collector in COLLECTORS if collector.name == name)


def collect(place: Path, name: str = "opencode", now_ms: int = LATER, heard: Heard | None = None) -> Collection:
    collector = named(name)
    return collector.collect(collector.find(place), now_ms=now_ms, watcher=heard or Heard())


def events_of(collection: Collection) -> list[dict[str, Any]]:
    return [vars(to_event(task, INSTANCE).event) for task in collection.tasks]


class Session:
    """One session in the making; times are seconds after its start."""

    def __init__(self, seed: int = 1, parent: str = "", provider: str = "anthropic", model: str = "claude-sonnet-4-5", shift: float = 0) -> None:
        self.id = f"ses_{seed:04}"
        self.parent = parent
        self.seed = seed
        self.shift = shift
        self.provider = provider
        self.model = model
        self.messages: list[dict[str, Any]] = []
        self.parts: list[dict[str, Any]] = []

    def ms(self, at: float) -> int:
        return ms(at + self.shift)

    def _id(self, kind: str, count: int) -> str:
        return f"{kind}_{self.seed:04}{count:05}"

    def message(self, at: float, role: str, **fields: Any) -> dict[str, Any]:
        made = {"id": self._id("msg", len(self.messages)), "sessionID": self.id, "role": role, "time": {"created": self.ms(at)}, **fields}
        self.messages.append(made)
        return made

    def part(self, message: dict[str, Any], kind: str, **fields: Any) -> dict[str, Any]:
        made = {"id": self._id("prt", len(self.parts)), "sessionID": self.id, "messageID": message["id"], "type": kind, **fields}
        self.parts.append(made)
        return made

    def prompt(self, at: float, text: str = "Implement the parser", *, agent: str = "build", **fields: Any) -> dict[str, Any]:
        message = self.message(at, "user", agent=agent, model={"providerID": self.provider, "modelID": self.model})
        self.part(message, "text", text=text, **fields)
        return message

    def answer(self, at: float, took: float | None = 1.0, finish: str | None = "stop", output: int = 100, **fields: Any) -> dict[str, Any]:
        """An answer of the model: 10 tokens uncached, 1,000 from the cache, 200 into it."""
        parent = next((one["id"] for one in reversed(self.messages) if one["role"] == "user"), "")
        tokens = fields.pop("tokens", {"total": 1210 + output, "input": 10, "output": output, "reasoning": 0, "cache": {"read": 1000, "write": 200}})
        made = self.message(
            at, "assistant", parentID=parent, modelID=self.model, providerID=self.provider, agent="build", cost=0.01, tokens=tokens, finish=finish, **fields
        )
        if took is not None:
            made["time"]["completed"] = self.ms(at + took)
        self.part(made, "step-start")
        if any(tokens.get(name) for name in ("input", "output")):
            self.part(made, "step-finish", reason=finish, tokens=tokens, cost=0.01)
        return made

    def tool(
        self, message: dict[str, Any], name: str, start: float, end: float, given: Any = None, told: Any = None, status: str = "completed"
    ) -> dict[str, Any]:
        """A tool call within an answer."""
        state = {"status": status, "input": given or {}, "metadata": told or {}, "output": "", "time": {"start": self.ms(start), "end": self.ms(end)}}
        message["finish"] = "tool-calls"
        message["time"]["completed"] = max(message["time"].get("completed", 0), self.ms(end))
        return self.part(message, "tool", tool=name, callID=f"call_{self.seed}_{len(self.parts)}", state=state)

    def bash(self, at: float, command: str, code: int | None = 0, output: str = "", took: float = 1.0) -> dict[str, Any]:
        message = self.answer(at, finish="tool-calls")
        self.tool(message, "bash", at + 0.5, at + 0.5 + took, {"command": command}, {"exit": code, "output": output})
        return message

    def compaction(self, at: float, *, auto: bool, **fields: Any) -> None:
        asked = self.message(at, "user", agent="build", model={})
        self.part(asked, "compaction", auto=auto, **fields)
        self.answer(at + 1, summary=True, output=30)

    def fork(self, seed: int, upto: int) -> "Session":
        """A session that begins with a copy of this one's first messages: new ids, the same times and tokens."""
        copy = Session(seed, provider=self.provider, model=self.model)
        ids = {one["id"]: copy._id("msg", count) for count, one in enumerate(self.messages[:upto])}
        copy.messages = [{**one, "id": ids[one["id"]], "sessionID": copy.id, "parentID": ids.get(one.get("parentID"), "")} for one in self.messages[:upto]]
        for one in self.parts:
            if one["messageID"] in ids:
                copy.parts.append({**one, "id": copy._id("prt", len(copy.parts)), "sessionID": copy.id, "messageID": ids[one["messageID"]]})
        return copy

    def save(self, path: Path) -> Path:
        """Add it to a database."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with sqlite3.connect(path) as connection:
            connection.executescript(TABLES)
            connection.execute("REPLACE INTO session VALUES (?, ?, '1.18.33', 'a secret title')", (self.id, self.parent or None))
            for one in self.messages:
                data = {name: value for name, value in one.items() if name not in {"id", "sessionID"}}
                connection.execute("REPLACE INTO message VALUES (?, ?, ?, ?)", (one["id"], self.id, one["time"]["created"], json.dumps(data)))
            for one in self.parts:
                data = {name: value for name, value in one.items() if name not in {"id", "sessionID", "messageID"}}
                connection.execute("REPLACE INTO part VALUES (?, ?, ?, ?)", (one["id"], one["messageID"], self.id, json.dumps(data)))
        connection.close()
        return path

    def spread(self, storage: Path) -> Path:
        """Add it to a tree of files."""
        info = {"id": self.id, "projectID": "p", "directory": "/home/someone/secret-project", **({"parentID": self.parent} if self.parent else {})}
        files = {storage / "session" / "p" / f"{self.id}.json": info}
        files |= {storage / "message" / self.id / f"{one['id']}.json": one for one in self.messages}
        files |= {storage / "part" / one["messageID"] / f"{one['id']}.json": one for one in self.parts}
        for path, value in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(value), encoding="utf-8")
        return storage


def ms(at: float) -> int:
    return round(START + at * 1000)
