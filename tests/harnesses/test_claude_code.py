"""The real Claude Code at work: what the model API said is what is collected, at the cost that it reckons itself, and what its hook reports."""

import json
import subprocess
from typing import ClassVar

import pytest
from support.harness_telemetry import compare_telemetry
from support.harness_truth import compare
from support.harnesses import Harness, Way, jobs_for, work
from support.model_api import Call, ModelApi
from support.model_api_anthropic import Anthropic
from support.npm import Pin
from support.server import COMMAND
from support.waiting import wait_for

_WAYS = {Way.NEW: [], Way.RESUMED: ["--continue"], Way.FORKED: ["--continue", "--fork-session"]}


class ClaudeCode(Harness):
    collector = "claude-code"
    pin = Pin("@anthropic-ai/claude-code", "2.1.197", "claude")
    dialect = Anthropic()
    classes = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
    event: ClassVar = {"harness": "claude_code", "model": "claude-sonnet-4-5", "provider": "anthropic"}

    @property
    def place(self):
        return self.home / ".claude"

    def settings(self, url):
        return {
            "IS_SANDBOX": "1",
            "ANTHROPIC_BASE_URL": url,
            "ANTHROPIC_API_KEY": "sk-ant-test",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
        }

    def telemetry(self, url, key):
        return {
            "CLAUDE_CODE_ENABLE_TELEMETRY": "1",
            "OTEL_LOGS_EXPORTER": "otlp",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
            "OTEL_EXPORTER_OTLP_ENDPOINT": url,
            "OTEL_EXPORTER_OTLP_HEADERS": f"Authorization=Bearer {key}",
            "OTEL_LOG_USER_PROMPTS": "1",
            "OTEL_LOG_TOOL_DETAILS": "1",
        }

    def words(self, prompt, way):
        return ["-p", prompt, "--model", "claude-sonnet-4-5", "--output-format", "json", "--dangerously-skip-permissions", *_WAYS[way]]

    def shell(self, command):
        return Call("Bash", {"command": command, "description": "work"})

    def write(self, path, text):
        edit = {"file_path": str(path), "old_string": path.read_text(), "new_string": text}
        return Call("Read", {"file_path": str(path)}), Call("Edit", edit)

    def subagent(self, task):
        return Call("Agent", {"description": task, "prompt": task, "subagent_type": "general-purpose"})


@pytest.fixture(scope="module")
def claude(installed):
    return installed(ClaudeCode.pin)


def test_what_the_api_said_is_what_is_collected(claude, tmp_path):
    seen = compare(ClaudeCode(tmp_path), claude)
    cost = [json.loads(told)["total_cost_usd"] * 1_000_000 for told in seen.told]
    assert [event["actual_cost_usd_micros"] for event in seen.after[-1]] == pytest.approx(cost, abs=1)


class StreamingClaudeCode(ClaudeCode):
    """It prints all that it does, for a program to read."""

    def words(self, prompt, way):
        return [*("stream-json" if word == "json" else word for word in super().words(prompt, way)), "--verbose"]


def test_what_it_prints_tells_the_same_tasks_as_its_log(claude, tmp_path):
    harness = StreamingClaudeCode(tmp_path)
    jobs = jobs_for(harness)
    with ModelApi(harness.dialect, [reply for job in jobs for reply in job.replies]) as api:
        seen = work(harness, claude, api, jobs)
    streams = tmp_path / "streams"
    streams.mkdir()
    for number, told in enumerate(seen.told):
        (streams / f"{number}.jsonl").write_text(told)

    def collected(place):
        words = [*COMMAND, "collect", "claude-code", str(place), "--dry-run", "--json"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    told = collected(streams)
    same = ("actual_input_tokens", "actual_output_tokens", "model", "provider", "complexity", "outcome", "quality_gates_run", "quality_gates_failed")
    assert [{name: event[name] for name in same} for event in told] == [{name: event[name] for name in same} for event in seen.after[-1]]
    cost = [event["actual_cost_usd_micros"] for event in seen.after[-1]]
    assert [event["actual_cost_usd_micros"] for event in told] == pytest.approx(cost, abs=1)
    log = next((harness.place / "projects").iterdir())
    streams.rename(log / "streams")
    assert collected(log) == seen.after[-1]


def test_its_telemetry_makes_the_same_events_as_its_log(claude, tmp_path):
    compare_telemetry(ClaudeCode(tmp_path), claude)


def test_its_hook_reports_the_task(claude, tmp_path):
    harness = ClaudeCode(tmp_path)
    settings = tmp_path / ".claude" / "settings.json"
    subprocess.run([*COMMAND, "hook", "install", "claude-code", "--settings", str(settings), "--yes"], capture_output=True, timeout=60, check=True)
    jobs = jobs_for(harness)[:1]
    with ModelApi(harness.dialect, jobs[0].replies) as api:
        work(harness, claude, api, jobs)
    database = tmp_path / ".local" / "share" / "mosaic-telemetry" / "telemetry.db"
    wait_for(database.exists, 60, "the local database")

    def known():
        words = [*COMMAND, "collect", "claude-code", str(harness.place), "--json", "--rescan", "--database", str(database)]
        done = subprocess.run(words, env={"HOME": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=False)
        return json.loads(done.stdout)["known"] if done.returncode == 0 else 0

    log = tmp_path / ".local" / "state" / "mosaic-telemetry" / "hook" / "hook.log"
    state = log.parent
    wait_for(lambda: any(path.stat().st_size for path in state.glob("*.json")), 60, "the hook's work")
    assert known() == 1, log.read_text() if log.exists() else "no log"
