"""Every command explains itself: help that fits a terminal, examples that could be typed, JSON for programs."""

import shlex

import click
import pytest
from reference import commands

COMMANDS = {" ".join(path): command for path, command in commands()}
WITHOUT_JSON = {
    "mosaic-telemetry hook claude-code": "prints nothing: whatever a hook prints, Claude Code reads as an instruction",
    "mosaic-telemetry mcp": "speaks JSON-RPC and nothing else",
}
"""The commands that take no `--json`, each with the reason."""


@pytest.fixture(params=COMMANDS.items(), ids=lambda item: item[0])
def named(request):
    return request.param


def page(name, command):
    """What `--help` prints on a terminal of 80 columns."""
    return command.get_help(click.Context(command, info_name=name, terminal_width=80)).splitlines()


def examples(name, command):
    lines = page(name, command)
    heads = [number for number, line in enumerate(lines) if line.strip() in {"Example:", "Examples:"}]
    assert len(heads) == 1, "one list of examples"
    listed = lines[heads[0] + 1 :]
    return [line.strip() for line in listed[: listed.index("")]]


def works_alone(command):
    return not isinstance(command, click.Group) or command.invoke_without_command


def test_every_command_has_help_with_an_example_of_itself(named):
    name, command = named
    assert command.help
    shown = examples(name, command)
    assert any(name in example for example in shown), shown


def test_examples_are_commands_that_are_taken(named):
    for example in examples(*named):
        words = iter(shlex.split(example.partition("<")[0].partition(" > ")[0]))
        if next(words) != "mosaic-telemetry":
            continue  # another program that calls ours
        command = COMMANDS["mosaic-telemetry"]
        for word in words:
            if word.startswith("--"):
                taken = {name: parameter for parameter in command.params for name in parameter.opts}
                assert word in taken, example
                if not taken[word].is_flag:
                    next(words)
            elif isinstance(command, click.Group):
                command = command.get_command(click.Context(command), word)
                assert command, example


def test_every_command_prints_json_or_says_here_why_not(named):
    name, command = named
    takes = any("--json" in parameter.opts for parameter in command.params)
    assert takes != (name in WITHOUT_JSON or not works_alone(command))


def test_help_fits_80_columns(named):
    assert [line for line in page(*named) if len(line) > 80] == []
