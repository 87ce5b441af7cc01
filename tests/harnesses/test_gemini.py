"""The real Gemini CLI at work: what the model API said is what is collected."""

import json
from typing import ClassVar

import pytest
from support.harness_telemetry import compare_telemetry
from support.harness_truth import compare
from support.harnesses import Harness, Way
from support.model_api import Call
from support.model_api_gemini import Gemini as Dialect
from support.npm import Pin

_SETTINGS = {
    "security": {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": False}},
    "general": {"disableAutoUpdate": True, "disableUpdateNag": True, "enableAutoUpdate": False, "enableAutoUpdateNotification": False},
    "privacy": {"usageStatisticsEnabled": False},
    "telemetry": {"enabled": False},
    "model": {"name": "gemini-2.5-pro"},
}


class Gemini(Harness):
    collector = "gemini"
    pin = Pin("@google/gemini-cli", "0.61.0", "gemini")
    dialect = Dialect()
    classes = ("input", "cache_read", "output", "reasoning")
    event: ClassVar = {"harness": "custom", "model": "gemini-2.5-pro", "provider": "google"}
    forks = False
    open_end = True

    @property
    def place(self):
        return self.home / ".gemini"

    def settings(self, url):
        self.place.mkdir()
        (self.place / "settings.json").write_text(json.dumps(_SETTINGS))
        return {"GEMINI_API_KEY": "none", "GOOGLE_GEMINI_BASE_URL": url, "GEMINI_CLI_NO_RELAUNCH": "true"}

    def telemetry(self, url, key):
        return {
            "GEMINI_TELEMETRY_ENABLED": "true",
            "GEMINI_TELEMETRY_TARGET": "local",
            "GEMINI_TELEMETRY_OTLP_ENDPOINT": url,
            "GEMINI_TELEMETRY_OTLP_PROTOCOL": "http",
            "GEMINI_TELEMETRY_LOG_PROMPTS": "true",
            "OTEL_EXPORTER_OTLP_HEADERS": f"Authorization=Bearer {key}",
        }

    def words(self, prompt, way):
        return ["--yolo", *(["--resume", "latest"] if way is Way.RESUMED else []), "--prompt", prompt]

    def shell(self, command):
        return Call("run_shell_command", {"command": command, "description": "work"})

    def write(self, path, text):
        return (Call("write_file", {"file_path": str(path), "content": text}),)

    def subagent(self, task):
        return Call("invoke_agent", {"agent_name": "generalist", "prompt": task})

    def report(self, text):
        return (Call("complete_task", {"result": {"response": text}}),)


@pytest.fixture(scope="module")
def gemini(installed):
    return installed(Gemini.pin)


def test_what_the_api_said_is_what_is_collected(gemini, tmp_path):
    compare(Gemini(tmp_path), gemini)


def test_its_telemetry_makes_the_same_events_as_its_log(gemini, tmp_path):
    compare_telemetry(Gemini(tmp_path), gemini)
