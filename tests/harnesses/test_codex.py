"""The real Codex at work: what the model API said is what is collected."""

import json
import re
from typing import ClassVar

import pytest
from support.harness_telemetry import compare_telemetry
from support.harness_truth import compare
from support.harnesses import Harness, Way
from support.model_api import Call
from support.model_api_responses import Responses
from support.npm import Pin

_CONFIG = """
model = "gpt-5"
model_provider = "own"
check_for_update_on_startup = false

[model_providers.own]
name = "own"
base_url = {url}
env_key = "OWN_API_KEY"
wire_api = "responses"

[analytics]
enabled = false

[features]
plugins = false
multi_agent_v2 = {v2}
"""

_TELEMETRY = """
[otel]
log_user_prompt = true
exporter = {{ otlp-http = {{ endpoint = {url}, protocol = "json", headers = {{ Authorization = {key} }} }} }}
"""


class Codex(Harness):
    collector = "codex"
    pin = Pin("@openai/codex", "0.169.0", "codex")
    dialect = Responses()
    classes = ("input", "cache_read", "output", "reasoning")
    event: ClassVar = {"harness": "custom", "model": "gpt-5", "provider": "custom"}

    harmless: ClassVar = frozenset({"POST /v1/analytics/codex/turn-costs"})  # where telemetry is on
    forked = False
    v2 = False

    @property
    def place(self):
        return self.home / ".codex"

    def settings(self, url):
        self.place.mkdir()
        (self.place / "config.toml").write_text(_CONFIG.format(url=json.dumps(f"{url}/v1"), v2=json.dumps(self.v2)))
        return {"OWN_API_KEY": "none"}

    def telemetry(self, url, key):
        with (self.place / "config.toml").open("a") as file:
            file.write(_TELEMETRY.format(url=json.dumps(f"{url}/v1/logs"), key=json.dumps(f"Bearer {key}")))
        return {}

    def words(self, prompt, way):
        options = ["--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"]
        match way:
            case Way.NEW:
                return ["exec", *options, prompt]
            case Way.RESUMED:
                return ["exec", *options, "resume", "--last", prompt]
        oldest = min(path.stem for path in self.place.rglob("rollout-*.jsonl"))  # its subagents have rollouts of their own
        return ["exec", *options, "fork", oldest[-36:], prompt]

    def shell(self, command):
        return Call("exec_command", {"cmd": command})

    def write(self, path, text):
        old, new = ("".join(f"{sign}{line}\n" for line in lines.splitlines()) for sign, lines in (("-", path.read_text()), ("+", text)))
        return (self.shell(f"apply_patch <<'EOF'\n*** Begin Patch\n*** Update File: {path.name}\n@@\n{old}{new}*** End Patch\nEOF\n"),)

    def subagent(self, task):
        return Call("spawn_agent", {"message": task, "fork_context": self.forked}, "multi_agent_v1")

    def joined(self):
        return (Call("wait_agent", lambda text: {"targets": [re.findall(r"agent_id\W+([0-9a-f-]{36})", text)[-1]]}, "multi_agent_v1"),)


class ForkingCodex(Codex):
    """Its subagents begin with a copy of the agent's history."""

    forked = True


class TeamingCodex(Codex):
    """Its subagents are of the second kind: they have names instead of ids, and begin with the agent's history as well."""

    v2 = True

    def subagent(self, task):
        return Call("spawn_agent", {"task_name": "count", "message": task}, "collaboration")

    def joined(self):
        return (Call("wait_agent", {"timeout_ms": 20_000}, "collaboration"),)


@pytest.fixture(scope="module")
def codex(installed):
    return installed(Codex.pin)


@pytest.mark.parametrize("harness", [Codex, ForkingCodex, TeamingCodex])
def test_what_the_api_said_is_what_is_collected(codex, harness, tmp_path):
    compare(harness(tmp_path), codex)


@pytest.mark.parametrize("harness", [Codex, ForkingCodex, TeamingCodex])
def test_its_telemetry_makes_the_same_events_as_its_log(codex, harness, tmp_path):
    compare_telemetry(harness(tmp_path), codex)
