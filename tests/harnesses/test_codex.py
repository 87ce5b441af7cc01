"""The real Codex at work: what the model API said is what is collected."""

import json
from typing import ClassVar

import pytest
from support.harness_truth import compare
from support.harnesses import Harness
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
"""


class Codex(Harness):
    collector = "codex"
    pin = Pin("@openai/codex", "0.169.0", "codex")
    dialect = Responses()
    classes = ("input", "cache_read", "output", "reasoning")
    event: ClassVar = {"harness": "custom", "model": "gpt-5", "provider": "custom"}

    def settings(self, home, url):
        (home / ".codex").mkdir(exist_ok=True)
        (home / ".codex" / "config.toml").write_text(_CONFIG.format(url=json.dumps(f"{url}/v1")))
        return {"OWN_API_KEY": "none"}

    def words(self, prompt, *, again):
        options = ["--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"]
        return ["exec", *options, "resume", "--last", prompt] if again else ["exec", *options, prompt]

    def shell(self, command):
        return Call("exec_command", {"cmd": command})

    def write(self, path, text):
        old, new = ("".join(f"{sign}{line}\n" for line in lines.splitlines()) for sign, lines in (("-", path.read_text()), ("+", text)))
        return (self.shell(f"apply_patch <<'EOF'\n*** Begin Patch\n*** Update File: {path.name}\n@@\n{old}{new}*** End Patch\nEOF\n"),)

    def place(self, home):
        return home / ".codex"


@pytest.fixture(scope="module")
def codex(installed):
    return installed(Codex.pin)


def test_what_the_api_said_is_what_is_collected(codex, tmp_path):
    compare(Codex(), codex, tmp_path)
