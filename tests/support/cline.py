"""Tasks of Cline and its kin, and sessions of Cline CLI 3, written as these write them."""

import json
from pathlib import Path
from typing import Any

from support.opencode import ms


class TaskFolder:
    """One task folder in the making; times are seconds after its start.

    Args:
        style: `cline` notes the model with each message; `roo` tells it to the model and notes the protocol.
    """

    def __init__(self, name: str = "1772355600000", style: str = "cline", model: str = "claude-sonnet-4-5", provider: str = "anthropic", shift: float = 0):
        self.name, self.style, self.model, self.provider, self.shift = name, style, model, provider, shift
        self.messages: list[dict[str, Any]] = []
        self.parent = ""

    def add(self, at: float, kind: str, what: str, text: Any = "", **fields: Any) -> dict[str, Any]:
        if self.style == "cline" and kind == "say":
            fields = {"modelInfo": {"providerId": self.provider, "modelId": self.model, "mode": "act"}, **fields}
        made = {"ts": ms(at + self.shift), "type": kind, kind: what, "text": text if isinstance(text, str) else json.dumps(text), **fields}
        self.messages.append(made)
        return made

    def say(self, at: float, what: str, text: Any = "", **fields: Any) -> dict[str, Any]:
        return self.add(at, "say", what, text, **fields)

    def ask(self, at: float, what: str, text: Any = "", **fields: Any) -> dict[str, Any]:
        return self.add(at, "ask", what, text, **fields)

    def request(self, at: float, told: str = "", tokens: tuple[int, int, int, int] = (10, 100, 1000, 200), **info: Any) -> dict[str, Any]:
        """A request to the model: by default 10 tokens uncached, 100 out, 1,000 from the cache, 200 into it."""
        names = ("tokensIn", "tokensOut", "cacheReads", "cacheWrites")
        if self.style == "roo":
            told += f"\n<environment_details>\n<model>{self.model}</model>\n</environment_details>"
            info = {"apiProtocol": "anthropic", **info}
        return self.say(at, "api_req_started", {"request": told, **dict(zip(names, tokens, strict=True)), "cost": 0.01, **info})

    def command(self, at: float, command: str, code: int | None, output: str = "", took: float = 1) -> None:
        """A request that answers with a command, and the next request, which tells how it ended."""
        self.request(at)
        self.say(at + 1, "command", command)
        self.ask(at + 1.5, "command_output", output)
        how = "Command executed." if code is None else "Command executed successfully (exit code 0)." if code == 0 else f"Command failed with exit code {code}."
        self.request(at + 1 + took, f"[execute_command for '{command}'] Result:\n{how}\nOutput:\n{output}")

    def write(self, tasks: Path) -> Path:
        folder = tasks / self.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "ui_messages.json").write_text(json.dumps(self.messages), encoding="utf-8")
        (folder / "api_conversation_history.json").write_text("[]", encoding="utf-8")
        if self.parent:
            (folder / "history_item.json").write_text(json.dumps({"id": self.name, "parentTaskId": self.parent}), encoding="utf-8")
        return folder


class CliSession:
    """One session of Cline CLI 3 in the making."""

    def __init__(self, name: str = "1772355600000_abcde", provider: str = "openai-compatible", model: str = "gpt-5", shift: float = 0):
        self.name, self.provider, self.model, self.shift = name, provider, model, shift
        self.messages: list[dict[str, Any]] = []
        self.info: dict[str, Any] = {"version": 1, "session_id": name, "status": "running", "provider": provider, "model": model, "metadata": {}}

    def message(self, at: float, role: str, content: Any, **fields: Any) -> dict[str, Any]:
        made = {"id": f"msg_{len(self.messages)}", "role": role, "content": content, "ts": ms(at + self.shift), **fields}
        self.messages.append(made)
        return made

    def prompt(self, at: float, text: str = "Implement the parser", mode: str = "act") -> None:
        self.message(at, "user", [{"type": "text", "text": f'<user_input mode="{mode}">{text}</user_input>'}])

    def answer(self, at: float, *tools: tuple[str, dict[str, Any]], tokens: tuple[int, int, int, int] = (3000, 60, 1024, 0)) -> dict[str, Any]:
        blocks = [
            {"type": "tool_use", "id": f"call_{self.name}_{len(self.messages)}_{n}", "name": name, "input": given} for n, (name, given) in enumerate(tools)
        ]
        metrics = dict(zip(("inputTokens", "outputTokens", "cacheReadTokens", "cacheWriteTokens"), tokens, strict=True))
        model = {"id": self.model, "provider": self.provider}
        return self.message(at, "assistant", [{"type": "text", "text": "word"}, *blocks], modelInfo=model, metrics=metrics)

    def result(self, at: float, *results: Any) -> None:
        """What the tools of the last answer gave."""
        uses = [block for block in self.messages[-1]["content"] if block["type"] == "tool_use"]
        blocks = [{"type": "tool_result", "tool_use_id": use["id"], "name": use["name"], "content": result} for use, result in zip(uses, results, strict=True)]
        self.message(at, "user", blocks)

    def command(self, at: float, command: str, code: int, output: str = "", took: float = 1) -> None:
        self.answer(at, ("run_commands", {"commands": [command]}))
        failed = {"error": f"Command exited with code {code}", "success": False} if code else {"success": True}
        self.result(at + took, [{"query": command, "result": output, **failed}])

    def write(self, sessions: Path) -> Path:
        folder = sessions / self.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.name}.json").write_text(json.dumps(self.info), encoding="utf-8")
        (folder / f"{self.name}.messages.json").write_text(json.dumps({"version": 1, "messages": self.messages}, indent=1), encoding="utf-8")
        return folder
