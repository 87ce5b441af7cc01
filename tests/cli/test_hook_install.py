"""Writing the hook into Claude Code's settings and taking it out again, as a person does it."""

import json
import os
import re
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.server import COMMAND

from mosaic_telemetry.cli.hook_settings import SettingsError, with_hook, without_hook
from mosaic_telemetry.cli.hook_start import EVENTS

MINE = "/opt/some where/mosaic-telemetry hook claude-code"
SETTINGS = """{
    "zeta": {"b": 1, "a": [1.5, "ä", null]},
    "permissions": {"allow": ["Bash(ls:*)"]},
    "hooks": {
        "PreToolUse": [{"matcher": "Bash", "hooks": [{"type": "command", "command": "guard"}]}],
        "Stop": [{"hooks": [{"type": "command", "command": "say done", "timeout": 3, "future": true}]}]
    },
    "alpha": true
}
"""

values = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
entries = st.fixed_dictionaries({"type": st.just("command"), "command": st.text()})
groups = st.fixed_dictionaries({"hooks": st.lists(entries, max_size=3)}, optional={"matcher": st.text()})
files = st.dictionaries(st.text(), values, max_size=4).flatmap(
    lambda rest: st.dictionaries(st.sampled_from([*EVENTS, "PreToolUse"]), st.lists(groups, max_size=3), min_size=1).map(lambda hooks: {**rest, "hooks": hooks})
)


def change(*words, env, folder, answer=""):
    done = subprocess.run([*COMMAND, "hook", *map(str, words)], env=env, cwd=folder, input=answer, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def env(tmp_path):
    return {name: value for name, value in os.environ.items() if name != "CLAUDE_CONFIG_DIR"} | {"HOME": str(tmp_path)}


def ours(settings):
    return {
        event: [hook["command"] for group in settings["hooks"].get(event, []) for hook in group["hooks"] if "mosaic" in hook["command"]] for event in EVENTS
    }


def test_into_settings_that_are_not_there_yet_and_out_again(env, tmp_path):
    status, out, err = change("install", "claude-code", "--yes", env=env, folder=tmp_path)
    path = tmp_path / ".claude" / "settings.json"
    assert (status, err) == (0, "")
    assert f"Written: {path}" in out
    assert path.stat().st_mode & 0o777 == 0o600
    found = ours(json.loads(path.read_text()))
    assert [len(commands) for commands in found.values()] == [1, 1, 1]
    # The entry is a command that a shell runs as it stands.
    done = subprocess.run(found["Stop"][0], shell=True, input=b"{}", capture_output=True, env=env, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    status, out, _ = change("install", "claude-code", "--yes", env=env, folder=tmp_path)
    assert (status, "nothing to change" in out) == (0, True)
    status, out, _ = change("remove", "claude-code", "--yes", env=env, folder=tmp_path)
    assert (status, path.read_text()) == (0, "{}\n")
    status, out, _ = change("remove", "claude-code", "--yes", env=env, folder=tmp_path)
    assert (status, "nothing to change" in out) == (0, True)


def test_what_stands_there_stays_and_is_backed_up(env, tmp_path):
    path = tmp_path / "settings.json"
    path.write_text(SETTINGS, encoding="utf-8")
    path.chmod(0o640)
    status, out, _ = change("install", "claude-code", "--settings", path, "--yes", env=env, folder=tmp_path)
    assert status == 0
    assert '+                        "command":' in out
    text = path.read_text(encoding="utf-8")
    after = json.loads(text)
    assert list(after) == ["zeta", "permissions", "hooks", "alpha"]
    assert after["hooks"]["Stop"][0] == json.loads(SETTINGS)["hooks"]["Stop"][0]
    assert re.search(r'^    "zeta"', text, re.MULTILINE)
    assert "ä" in text
    assert path.stat().st_mode & 0o777 == 0o640
    (backup,) = tmp_path.glob("settings.json.*.bak")
    assert str(backup) in out
    assert (backup.read_text(encoding="utf-8"), backup.stat().st_mode & 0o777) == (SETTINGS, 0o640)
    change("remove", "claude-code", "--settings", path, "--yes", env=env, folder=tmp_path)
    assert json.loads(path.read_text(encoding="utf-8")) == json.loads(SETTINGS)
    assert sorted(entry.name for entry in tmp_path.iterdir() if not entry.name.endswith(".bak")) == ["settings.json"]


def test_it_asks_first(env, tmp_path):
    path = tmp_path / "settings.json"
    path.write_text(SETTINGS, encoding="utf-8")
    for answer, said in (("n\n", "nothing was changed"), ("", "--yes writes without asking")):
        status, _, err = change("install", "claude-code", "--settings", path, env=env, folder=tmp_path, answer=answer)
        assert (status, said in err, path.read_text(encoding="utf-8")) == (1, True, SETTINGS)
    status, _, _ = change("install", "claude-code", "--settings", path, env=env, folder=tmp_path, answer="y\n")
    assert status == 0
    assert all(ours(json.loads(path.read_text(encoding="utf-8"))).values())


def test_json_output_is_one_document(env, tmp_path):
    path = tmp_path / "settings.json"
    path.write_text("{}")
    status, out, err = change("install", "claude-code", "--settings", path, "--yes", "--json", env=env, folder=tmp_path)
    (backup,) = tmp_path.glob("*.bak")
    assert (status, json.loads(out)) == (0, {"settings": str(path), "changed": True, "backup": str(backup)})
    assert "Stop" in err
    _, out, _ = change("install", "claude-code", "--settings", path, "--yes", "--json", env=env, folder=tmp_path)
    assert json.loads(out)["changed"] is False


def test_the_projects_settings_and_those_of_another_configuration(env, tmp_path):
    assert change("install", "claude-code", "--project", "--yes", env=env, folder=tmp_path)[0] == 0
    assert (tmp_path / ".claude" / "settings.json").exists()
    assert change("install", "claude-code", "--yes", env=env | {"CLAUDE_CONFIG_DIR": str(tmp_path / "other")}, folder=tmp_path)[0] == 0
    assert (tmp_path / "other" / "settings.json").exists()
    assert change("install", "claude-code", "--project", "--settings", "x", "--yes", env=env, folder=tmp_path)[0] == 2


def test_a_link_stays_a_link(env, tmp_path):
    (tmp_path / "dotfiles").mkdir()
    real = tmp_path / "dotfiles" / "claude.json"
    real.write_text(SETTINGS, encoding="utf-8")
    link = tmp_path / "settings.json"
    link.symlink_to(real)
    assert change("install", "claude-code", "--settings", link, "--yes", env=env, folder=tmp_path)[0] == 0
    assert link.is_symlink()
    assert all(ours(json.loads(real.read_text(encoding="utf-8"))).values())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b'{"a": 1,}', "line 1, column "),
        (b'{\n  // mine\n  "a": 1\n}', "line 2, column 3: not JSON"),
        (b"[]", "not a JSON object"),
        (b'{"hooks": []}', '"hooks" is not an object'),
        (b'{"hooks": {"Stop": {}}}', '"hooks.Stop" is not a list'),
        (b'{"hooks": {"Stop": [{"hooks": 1}]}}', '"hooks.Stop" is not a list'),
        (b'{"a": 1, "a": 2}', 'the key "a" stands twice'),
        (b"\xff", "utf-8"),
    ],
)
def test_a_file_that_is_not_understood_is_not_touched(env, tmp_path, text, said):
    path = tmp_path / "settings.json"
    path.write_bytes(text)
    for action in ("install", "remove"):
        status, out, err = change(action, "claude-code", "--settings", path, "--yes", env=env, folder=tmp_path)
        assert (status, out, len(err.splitlines())) == (1, "", 1)
        assert said in err
        assert "Nothing was changed" in err
    assert (path.read_bytes(), len(list(tmp_path.iterdir()))) == (text, 1)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_one_line(env, tmp_path):
    tmp_path.chmod(0o500)
    status, _, err = change("install", "claude-code", "--settings", tmp_path / "settings.json", "--yes", env=env, folder=tmp_path)
    assert (status, len(err.splitlines())) == (1, 1)


@settings(max_examples=80, deadline=None)
@given(files, st.sampled_from([2, 4, "\t", None]))
def test_out_again_is_as_before_and_twice_is_once(content, indent):
    text = json.dumps(content, indent=indent)
    once = with_hook(text, MINE, EVENTS)
    assert with_hook(once, MINE, EVENTS) == once
    assert all(commands.count(MINE) == 1 for commands in ours(json.loads(once)).values())
    left = json.loads(without_hook(once))
    expected = dict(content, hooks={event: found for event, found in content["hooks"].items() if found or event not in EVENTS})
    assert left == (expected if expected["hooks"] else {key: value for key, value in expected.items() if key != "hooks"})
    assert without_hook(text) == text


def test_an_older_entry_is_brought_up_to_date():
    before = with_hook(SETTINGS, "/old/python -m mosaic_telemetry hook claude-code", EVENTS)
    after = with_hook(before, MINE, EVENTS)
    assert "/old/python" not in after
    assert ours(json.loads(after)) == {event: [MINE] for event in EVENTS}


def test_line_ends_and_a_byte_order_mark_stay():
    text = "\ufeff" + SETTINGS.replace("\n", "\r\n")
    after = with_hook(text, MINE, EVENTS)
    assert after.startswith("\ufeff{\r\n    ")
    assert "\n" not in after.replace("\r\n", "")
    assert without_hook(after).startswith("\ufeff{")


def test_another_programs_hook_is_not_ours():
    text = json.dumps({"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "echo mosaic-telemetry hook claude-code | tee log"}]}]}})
    assert without_hook(text) == text
    with pytest.raises(SettingsError):
        without_hook("{")


def test_help_names_what_it_does():
    done = subprocess.run([*COMMAND, "hook", "--help"], capture_output=True, text=True, timeout=60, check=True)
    assert {"claude-code", "install", "remove"} <= set(done.stdout.split())
