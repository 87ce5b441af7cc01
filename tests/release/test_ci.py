"""The pipelines as code: valid by their own schemas, in the right order, and calling only what is there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
WOODPECKER = ROOT / ".woodpecker.yml"
GITHUB = ROOT / ".github/workflows/ci.yml"
CHECKS = {"lint", "types", "formatted", "security", "docs", "coverage"}


def load(path):
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def steps():
    """Woodpecker's steps, by name."""
    return {step["name"]: step for step in load(WOODPECKER)["steps"]}


@pytest.fixture(scope="module")
def jobs():
    """GitHub's jobs, by name."""
    return load(GITHUB)["jobs"]


def targets(commands):
    return re.findall(r"\bmake ([\w-]+)", commands)


def runs(job):
    """What a job of GitHub's runs, with the matrix filled in."""
    text = "\n".join(step["run"] for step in job["steps"] if "run" in step)
    values = job.get("strategy", {}).get("matrix", {}).get("target", [""])
    return "\n".join(text.replace("${{ matrix.target }}", value) for value in values)


@pytest.mark.parametrize(("path", "schema"), [(WOODPECKER, "vendor.woodpecker-ci"), (GITHUB, "vendor.github-workflows")], ids=["woodpecker", "github"])
def test_valid_by_its_schema(path, schema, tmp_path):
    def check(file):
        words = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(file)]
        return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)

    done = check(path)
    assert done.returncode == 0, done.stdout
    broken = tmp_path / path.name
    broken.write_text(path.read_text(encoding="utf-8").replace("image:", "imgae:").replace("runs-on:", "run-on:"), encoding="utf-8")
    assert check(broken).returncode == 1, "the check finds a slip of the pen"


def test_when_the_pipelines_run():
    assert load(WOODPECKER)["when"] == [{"event": ["push", "pull_request", "tag", "manual"]}]
    text = GITHUB.read_text(encoding="utf-8")
    assert re.search(r"^on:\n  push:\n  pull_request:\n  workflow_dispatch:\n\n", text, re.MULTILINE), "branches and tags, pull requests, by hand"


def test_woodpecker_installs_once_checks_side_by_side_builds_and_then_publishes(steps):
    assert [name for name, step in steps.items() if not step.get("depends_on")] == ["install"]
    checks = {name: step for name, step in steps.items() if step.get("depends_on") == ["install"]}
    assert {target for step in checks.values() for target in targets(" ".join(step["commands"]))} == CHECKS
    assert set(steps["build"]["depends_on"]) == set(checks)
    assert {name for name, step in steps.items() if step.get("depends_on") == ["build"]} == {"publish-release", "publish-development", "link"}
    assert len({step["image"] for step in steps.values()}) == 1, "what one step installs another can run"


def test_github_has_the_same_order(jobs):
    assert {name: job.get("needs", []) for name, job in jobs.items()} == {
        "check": [],
        "tests": [],
        "build": ["check", "tests"],
        "publish": ["build"],
        "link": ["build"],
    }
    assert {target for name in ("check", "tests") for target in targets(runs(jobs[name]))} - {"install"} == CHECKS


def test_no_step_depends_on_one_that_a_filter_may_skip(steps, jobs):
    filtered = {name for name, step in steps.items() if "when" in step} | {name for name, job in jobs.items() if "if" in job}
    assert filtered == {"publish-release", "publish-development", "publish", "link"}
    needed = {name for step in steps.values() for name in step.get("depends_on", [])} | {name for job in jobs.values() for name in job.get("needs", [])}
    assert not needed & filtered


def test_each_branch_publishes_to_its_channel(steps, jobs):
    for name, branch, channel in (("publish-release", "main", "release"), ("publish-development", "develop", "development")):
        assert steps[name]["when"] == [{"event": "push", "branch": branch}]
        assert f"--channel {channel} " in " ".join(steps[name]["commands"])
    assert steps["link"]["when"] == [{"event": "push", "branch": ["main", "develop"]}]
    both = "github.event_name == 'push' && (github.ref == 'refs/heads/main' || github.ref == 'refs/heads/develop')"
    assert jobs["publish"]["if"] == jobs["link"]["if"] == both
    assert jobs["publish"]["env"]["CHANNEL"] == "${{ github.ref == 'refs/heads/main' && 'release' || 'development' }}"


def test_the_build_is_stamped_before_it_is_checked(steps, jobs):
    for commands in ("\n".join(steps["build"]["commands"]), runs(jobs["build"])):
        assert commands.index("scripts/release.py stamp") < commands.index("make release-check")


def test_linking_is_tried_three_times_five_seconds_apart(steps, jobs):
    for commands in ("\n".join(steps["link"]["commands"]), runs(jobs["link"])):
        assert "scripts/release.py link --tries 3 --pause 5" in commands


def test_where_to_publish_and_the_token_come_from_secrets_alone(steps, jobs):
    for name in ("publish-release", "publish-development", "link"):
        secrets = {variable: value["from_secret"] for variable, value in steps[name]["environment"].items()}
        assert secrets == {"REGISTRY_URL": "registry_url", "REGISTRY_USER": "registry_user", "REGISTRY_TOKEN": "registry_token"}
    for name, job in jobs.items():
        for variable, value in job.get("env", {}).items():
            assert variable == "CHANNEL" or value == f"${{{{ secrets.{variable} }}}}", name
    for path in (WOODPECKER, GITHUB):
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        assert not [line for line in lines if "http" in line], path.name


def test_what_the_pipelines_call_is_there(steps, jobs):
    commands = "\n".join([*("\n".join(step["commands"]) for step in steps.values()), *map(runs, jobs.values())])
    made = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(targets(commands)) <= made
    for script in set(re.findall(r"scripts/[\w.]+", commands)):
        assert (ROOT / script).is_file()
