"""The real opencode at work: what the model API said is what is collected."""

import json
from typing import ClassVar

import pytest
from support.harness_truth import compare
from support.harnesses import Harness, Way
from support.model_api import Call
from support.model_api_anthropic import Anthropic
from support.model_api_chat import Chat
from support.npm import Pin

_WAYS = {Way.NEW: [], Way.RESUMED: ["--continue"], Way.FORKED: ["--continue", "--fork"]}


class OpenCode(Harness):
    """A provider of our own, by one of the packages for model APIs that opencode has inside."""

    collector = "opencode"
    pin = Pin("opencode-ai", "1.18.33", "opencode")
    package = ""
    model = ""
    provider = ""

    @property
    def place(self):
        return self.home / ".local" / "share" / "opencode"

    def settings(self, url):
        # A library for plugins is fetched at every start where it does not look installed.
        folder = self.home / ".config" / "opencode"
        (folder / "node_modules").mkdir(parents=True)
        (folder / "package-lock.json").write_text(json.dumps({"packages": {"": {"dependencies": {"@opencode-ai/plugin": self.pin.version}}}}))
        own = {
            "npm": self.package,
            "options": {"baseURL": f"{url}/v1", "apiKey": "none"},
            "models": {self.model: {"limit": {"context": 200_000, "output": 8192}}},
        }
        config = {"model": f"{self.provider}/{self.model}", "share": "disabled", "autoupdate": False, "provider": {self.provider: own}}
        switches = ("AUTOUPDATE", "DEFAULT_PLUGINS", "LSP_DOWNLOAD", "MODELS_FETCH", "SHARE")
        return {"OPENCODE_CONFIG_CONTENT": json.dumps(config)} | {f"OPENCODE_DISABLE_{name}": "1" for name in switches}

    def words(self, prompt, way):
        return ["run", *_WAYS[way], prompt]

    def shell(self, command):
        return Call("bash", {"command": command, "description": "work"})

    def write(self, path, text):
        return (Call("edit", {"filePath": str(path), "oldString": path.read_text(), "newString": text}),)

    def subagent(self, task):
        return Call("task", {"description": task, "prompt": task, "subagent_type": "general"})


class OnChat(OpenCode):
    dialect = Chat()
    package, provider, model = "@ai-sdk/openai-compatible", "own", "qwen3-coder"
    classes = ("input", "cache_read", "output", "reasoning")
    event: ClassVar = {"harness": "opencode", "model": "qwen3-coder", "provider": "custom"}


class OnAnthropic(OpenCode):
    dialect = Anthropic()
    package, provider, model = "@ai-sdk/anthropic", "anthropic", "claude-sonnet-4-5"
    classes = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
    unsaid = frozenset({"cache_write_1h"})
    event: ClassVar = {"harness": "opencode", "model": "claude-sonnet-4-5", "provider": "anthropic"}


@pytest.fixture(scope="module")
def opencode(installed):
    return installed(OpenCode.pin)


@pytest.mark.parametrize("harness", [OnChat, OnAnthropic], ids=lambda harness: harness.package)
def test_what_the_api_said_is_what_is_collected(opencode, harness, tmp_path):
    compare(harness(tmp_path), opencode)
