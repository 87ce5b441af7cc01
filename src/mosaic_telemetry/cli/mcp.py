"""`mosaic-telemetry mcp`: an agent asks before it starts."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from mosaic_telemetry._version import __version__
from mosaic_telemetry.cli.common import Database, asked_server, database_option, server_options
from mosaic_telemetry.cli.toolcalls import AskError, ask, describe, schema

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

__all__ = ["command"]

# The commands that only read; each is a tool as soon as there is such a command.
_TOOLS = ("budget", "compare", "predict", "report")
_ABOUT = (
    "What coding tasks cost, how long they take and whether they succeed, from tasks that were really done. Ask `predict` before you start a task: "
    "p10 to p90 is the range of four tasks in five, costs are in micro-dollars (1,000,000 are 1 USD), durations in milliseconds. "
    "A low confidence, or a prediction that is null, says that little is known: go by your own estimate then."
)


@click.command()
@server_options
@database_option
def command(server: str | None, api_key: str | None, instance_id: str | None, database: Database) -> None:
    """Serve predictions to agents over the Model Context Protocol, on standard input and output.

    Its tools are the commands that only read: predict, compare, budget and report. They answer from the database on this machine, or
    from a server; nothing is sent but the question.

    \b
    Examples:
      claude mcp add mosaic-telemetry -- mosaic-telemetry mcp
      mosaic-telemetry mcp --server http://localhost:8000
    """
    import anyio
    from mcp.server.stdio import stdio_server

    settings = {"SERVER_URL": asked_server(server), "API_KEY": api_key, "INSTANCE_ID": instance_id, "DATABASE": str(database)}
    left = {name: value for name, value in os.environ.items() if name not in {"TELEMETRY_API_URL", "MOSAIC_TELEMETRY_SERVER_URL"}}
    serving = _server(left | {f"MOSAIC_TELEMETRY_{name}": value for name, value in settings.items() if value})

    async def serve() -> None:
        async with stdio_server() as (read, write):
            await serving.run(read, write, serving.create_initialization_options())

    anyio.run(serve)


def _server(env: Mapping[str, str]) -> Server[Any]:
    """The MCP server; each call of a tool runs its command with this environment."""
    import anyio
    from mcp import types
    from mcp.server.lowlevel import Server

    from mosaic_telemetry.cli.app import COMMANDS

    commands: dict[str, click.Command] = {name: import_module(COMMANDS[name][0]).command for name in _TOOLS if name in COMMANDS}
    reads = types.ToolAnnotations(read_only_hint=True, idempotent_hint=True, destructive_hint=False, open_world_hint=False)
    tools = [types.Tool(name=name, description=describe(found), input_schema=schema(found), annotations=reads) for name, found in commands.items()]

    async def list_tools(_: Any, __: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=tools)

    def refusal(reason: str) -> types.CallToolResult:
        return types.CallToolResult(content=[types.TextContent(type="text", text=reason)], is_error=True)

    async def call_tool(_: Any, asked: types.CallToolRequestParams) -> types.CallToolResult:
        if asked.name not in commands:
            return refusal(f"no such tool: {asked.name}; there are {', '.join(commands)}")
        try:
            answer = await anyio.to_thread.run_sync(ask, asked.name, commands[asked.name], asked.arguments or {}, env)
        except AskError as error:
            return refusal(str(error))
        structured = answer if isinstance(answer, dict) else {"result": answer}
        return types.CallToolResult(content=[types.TextContent(type="text", text=json.dumps(answer))], structured_content=structured)

    return Server("mosaic-telemetry", version=__version__, instructions=_ABOUT, on_list_tools=list_tools, on_call_tool=call_tool)
