"""The MCP server as an agent uses it: the official client, a process of its own, a real database."""

import asyncio
import json
import os
import sys

import click
import pytest
from support.events import fields
from support.server import ServerProcess, create_instance

from mosaic_telemetry.cli.toolcalls import AskError, describe, schema, words
from mosaic_telemetry.client import BatchSubmitter, EventBuilder, TelemetryConfig

pytest.importorskip("mcp")
from mcp import Client, StdioServerParameters

QUERY = {"task_type": "implementation", "model": "claude-sonnet-4-5", "provider": "anthropic", "complexity": "medium"}


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A server whose database has ten tasks; and its settings."""
    database = tmp_path_factory.mktemp("mcp") / "telemetry.db"
    with ServerProcess(database) as server:
        access = create_instance(database)
        config = TelemetryConfig(server.url, access.api_key, access.instance_id)
        builder = EventBuilder(config)
        submitter = BatchSubmitter(config)
        assert submitter.submit([builder.build(**fields()) for _ in range(10)]).success
        submitter.close()
        yield server, access


def talk(conversation, *options):
    """Let `conversation(client)` talk to a server that was started with `options`."""

    async def run():
        parameters = StdioServerParameters(command=sys.executable, args=["-m", "mosaic_telemetry", "mcp", *options], env=dict(os.environ))
        async with Client(parameters, read_timeout_seconds=60) as client:
            return await conversation(client)

    return asyncio.run(run())


def test_the_tools_are_the_commands_that_read(filled):
    async def conversation(client):
        assert "before you start" in client.instructions
        return (await client.list_tools()).tools

    tools = {tool.name: tool for tool in talk(conversation, "--database", str(filled[0].database))}
    assert set(tools) == {"budget", "compare", "predict", "report"}
    asked = tools["predict"].input_schema
    assert asked["required"] == ["task_type", "model"]
    assert "testing" in asked["properties"]["task_type"]["enum"]
    assert not {"server", "api_key", "database"} & set(asked["properties"]), "where to ask stays with the person"
    assert all(tool.annotations.read_only_hint and tool.description for tool in tools.values())


@pytest.mark.parametrize("where", ["database", "server"])
def test_predict_and_report(filled, where):
    server, access = filled
    options = ["--database", str(server.database)] if where == "database" else ["--server", server.url, "--api-key", access.api_key]

    async def conversation(client):
        predicted = await client.call_tool("predict", QUERY)
        reported = await client.call_tool("report", {"since": "30d", "by": ["model"]})
        compared = await client.call_tool("compare", {"task_type": "implementation"})
        return predicted, reported, compared

    predicted, reported, compared = talk(conversation, *options)
    assert not predicted.is_error, predicted.content
    assert predicted.structured_content["metadata"]["sample_size"] == 10
    assert json.loads(predicted.content[0].text) == predicted.structured_content
    assert not reported.is_error, reported.content
    assert reported.structured_content["by"]["model"]["claude-sonnet-4-5"]["events"] == 10
    assert not compared.is_error, compared.content
    assert "claude-sonnet-4-5" in compared.content[0].text


def test_a_wrong_question_is_an_answer_in_one_line_and_the_next_one_works(filled):
    async def conversation(client):
        answers = [
            await client.call_tool("predict", {**QUERY, "task_type": "gardening"}),
            await client.call_tool("predict", {**QUERY, "database": "/etc/passwd"}),
            await client.call_tool("erase", {}),
            await client.call_tool("predict", {**QUERY, "model": "--help"}),
        ]
        return answers, await client.call_tool("predict", QUERY)

    wrong, right = talk(conversation, "--database", str(filled[0].database))
    texts = [answer.content[0].text for answer in wrong]
    assert [answer.is_error for answer in wrong[:3]] == [True, True, True]
    assert "'gardening' is not one of" in texts[0]
    assert texts[1].startswith("no such argument: database; there are task_type, ")
    assert texts[2].startswith("no such tool: erase; there are ")
    assert "prediction" in texts[3], "a value that looks like an option is a value"
    assert all("\n" not in text for text in texts)
    assert not right.is_error


def test_no_database_is_said(tmp_path):
    async def conversation(client):
        return await client.call_tool("predict", QUERY)

    answer = talk(conversation, "--database", str(tmp_path / "none.db"))
    assert answer.is_error
    assert answer.content[0].text.startswith("no database at ")


@click.command()
@click.argument("names", nargs=-1)
@click.option("--most", type=click.IntRange(1, 50), help="How many.")
@click.option("--share", type=click.FloatRange(0, 1))
@click.option("--deep/--flat", default=False)
@click.option("--by", multiple=True, type=click.Choice(["day", "model"]))
@click.option("--prices", type=click.Path())
@click.option("--json", "as_json", is_flag=True)
def sample(**_):
    """Do something.

    \b
    Examples:
      sample x
    """


def test_options_become_a_schema_and_arguments_become_words():
    assert describe(sample) == "Do something."
    assert schema(sample)["properties"] == {
        "names": {"type": "array", "items": {"type": "string"}},
        "most": {"type": "integer", "minimum": 1, "maximum": 50, "description": "How many."},
        "share": {"type": "number", "minimum": 0, "maximum": 1},
        "deep": {"type": "boolean"},
        "by": {"type": "array", "items": {"type": "string", "enum": ["day", "model"]}},
    }
    typed = words(sample, {"names": ["-x", "y"], "most": 3, "deep": False, "by": ["day", "model"]})
    assert typed == ["--most=3", "--flat", "--by=day", "--by=model", "--json", "--", "-x", "y"]
    assert words(sample, {"deep": True}) == ["--deep", "--json"]
    for wrong in ({"prices": "/etc/passwd"}, {"names": [{"a": 1}]}, {"most": None}):
        with pytest.raises(AskError):
            words(sample, wrong)
