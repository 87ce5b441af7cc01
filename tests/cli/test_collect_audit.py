"""`collect --audit` and `--prices`, as a person runs them."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from support.recordings import DEMO_DATA
from support.server import COMMAND
from support.transcripts import RECORDINGS, Transcript, test_data

FOLDERS = ["claude-code-2.1.197", "codex-0.169.0", "codex-0.60.1", "gemini-cli-0.61.0", "gemini-cli-0.20.0", "pi-0.73.1", "opencode-1.18.33"]
NAMES = {"claude": "claude-code", "codex": "codex", "gemini": "gemini", "pi": "pi", "opencode": "opencode"}


def run(*words, **env):
    prefixes = ("MOSAIC_TELEMETRY_", "TELEMETRY_", "CLAUDE_")
    own = {name: value for name, value in os.environ.items() if not name.startswith(prefixes) and name != "DO_NOT_TRACK"}
    done = subprocess.run([*COMMAND, "collect", *map(str, words)], capture_output=True, text=True, timeout=60, env=own | env, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_number_of_every_event_has_a_rule_and_its_calls_add_up(folder):
    name = NAMES[folder.partition("-")[0]]
    status, out, err = run(name, DEMO_DATA / folder, "--audit", "--json")
    assert (status, err) == (0, "")
    found = json.loads(out)
    sent = [json.loads(line) for line in run(name, DEMO_DATA / folder, "--dry-run", "--json")[1].splitlines()]
    assert [task["event_id"] for task in found["audit"]] == [event["event_id"] for event in sent]
    identity = {"event_id", "instance_id", "schema_version", "harness", "quality_gate_passed", "quality_gates_run", "quality_gates_failed"}
    for task, event in zip(found["audit"], sent, strict=True):
        assert set(task["numbers"]) | identity == set(event)
        assert all(number["rule"] for number in task["numbers"].values())
        assert {name: number["value"] for name, number in task["numbers"].items()} == {name: event[name] for name in task["numbers"]}
        assert sum(call["input_tokens"] for call in task["calls"]) == event["actual_input_tokens"]
        assert sum(call["output_tokens"] for call in task["calls"]) == event["actual_output_tokens"]
        assert sorted(task["quality_gates"]) == event["quality_gates_run"]
        assert all(gate["records"] for gate in task["quality_gates"].values())
        assert task["task"]["records"]
        for call in task["calls"]:
            assert Path(call["file"]).is_file()
            assert call["record"]
            assert (call["cost_source"], call["price_list"].partition(" ")[0]) == ("priced", "genai-prices")
        total = found["sessions"][task["session"]]
        assert total["output_tokens"] >= event["actual_output_tokens"]


def test_the_named_lines_hold_the_numbers():
    found = json.loads(run("claude-code", RECORDINGS, "--audit", "--json")[1])
    for task in found["audit"]:
        for call in task["calls"]:
            line = Path(call["file"]).read_text().splitlines()[int(call["record"].removeprefix("line ")) - 1]
            message = json.loads(line)["message"]
            assert message["id"] == call["id"]
            assert message["usage"]["output_tokens"] == call["output_tokens"]
        (where,) = task["task"]["records"]
        prompt = json.loads(Path(where["file"]).read_text().splitlines()[int(where["records"][0].removeprefix("line ")) - 1])
        assert prompt["uuid"]
        assert prompt["type"] == "user"


def test_unreliable_tasks_stand_in_it_with_their_flags_and_in_the_totals(tmp_path):
    for number, version in ((1, "2.1.197"), (2, "2.1.30")):
        log = Transcript(seed=number, version=version)
        log.prompt(0)
        log.answer(2, f"m{number}", output=12_000_000, model="nobody-knows-this-model" if number == 2 else "claude-sonnet-4-5")
        log.write(tmp_path / f"{number}.jsonl")
    found = json.loads(run("claude-code", tmp_path, "--audit", "--json")[1])
    good, bad = found["audit"]
    assert (good["left_out"], bad["left_out"], found["unreliable_left_out"]) == (False, True, 1)
    assert set(good["flags"]) == {"retries_not_logged", "clamped_actual_output_tokens", "clamped_actual_cost_usd_micros"}
    assert set(bad["flags"]) == {"retries_not_logged", "clamped_actual_output_tokens", "no_context_window", "no_price", "output_tokens_unreliable"}
    number = good["numbers"]["actual_output_tokens"]
    assert (number["value"], number["true_value"]) == (10_000_000, 12_000_000)
    assert [session["output_tokens"] for session in found["sessions"].values()] == [12_000_000] * 2
    assert bad["numbers"]["actual_cost_usd_micros"]["source"] == "unknown"
    assert bad["numbers"]["actual_cost_usd_micros"]["true_value"] is None
    _, text, _ = run("claude-code", tmp_path, "--audit")
    assert "cost: unknown, unknown: not known" in text
    assert "LEFT OUT" in text
    assert "flag output_tokens_unreliable: this version of the harness writes too few" in text
    assert "Left out: 1 task with unreliable token counts. Nothing was sent." in text


def test_the_true_totals_of_real_sessions_are_what_an_independent_tool_counts():
    oracle = json.loads(test_data("claude_code", "ccusage_20.0.26_oracle.json").read_text())
    for name in ("entireio", "claude-code-log"):
        found = json.loads(run("claude-code", test_data("claude_code", name), "--audit", "--json")[1])
        totals = {key: sum(session[key] for session in found["sessions"].values()) for key in next(iter(found["sessions"].values())) if key != "begun_only"}
        expected = oracle[name]["totals"]
        assert totals["uncached_input_tokens"] == expected["inputTokens"]
        assert totals["output_tokens"] == expected["outputTokens"]
        assert totals["cache_read_tokens"] == expected["cacheReadTokens"]
        assert totals["cache_write_tokens"] == expected["cacheCreationTokens"]


def test_a_persons_own_prices_go_first_and_are_named(tmp_path):
    mine = tmp_path / "mine.toml"
    mine.write_text('[[model]]\nname = "claude-sonnet-*"\ninput = 1\noutput = 1\n')
    events = [json.loads(line) for line in run("claude-code", RECORDINGS, "--dry-run", "--json", "--prices", mine)[1].splitlines()]
    assert [event["actual_cost_usd_micros"] for event in events] == [event["actual_input_tokens"] + event["actual_output_tokens"] for event in events]
    usual = tmp_path / "config" / "mosaic-telemetry" / "prices.toml"
    usual.parent.mkdir(parents=True)
    usual.write_text('[[model]]\nname = "claude-sonnet-*"\nsubscription = true\n')
    found = json.loads(run("claude-code", RECORDINGS, "--audit", "--json", XDG_CONFIG_HOME=str(tmp_path / "config"))[1])
    assert {task["numbers"]["actual_cost_usd_micros"]["source"] for task in found["audit"]} == {"subscription"}
    assert found["cost_sources"] == {"subscription": 3}
    usual.write_text("[[model]]\nname = 1")
    status, out, err = run("claude-code", RECORDINGS, "--dry-run", XDG_CONFIG_HOME=str(tmp_path / "config"))
    assert (status, out, len(err.splitlines())) == (1, "", 1)
    assert f"price file {usual}, entry 1 (1): name must be text" in err
    assert run("claude-code", RECORDINGS, "--dry-run", "--prices", tmp_path / "none.toml")[2].endswith("none.toml cannot be read: No such file or directory\n")
