"""The snippets and commands of the documents run, against a real server."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.server import ServerProcess, create_instance

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list:
    """The blocks of a language in all documents, each with where it stands."""
    found = []
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for match in _BLOCK.finditer(text):
            if match.group(1) == language:
                line = text.count("\n", 0, match.start()) + 1
                found.append(pytest.param(match.group(2), id=f"{document.relative_to(ROOT)}:{line}"))
    return found


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs")
    with ServerProcess(folder / "telemetry.db") as server:
        access = create_instance(server.database)
        yield {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            "MOSAIC_TELEMETRY_SERVER_URL": server.url,
            "MOSAIC_TELEMETRY_API_KEY": access.api_key,
            "MOSAIC_TELEMETRY_INSTANCE_ID": access.instance_id,
        }


@pytest.mark.parametrize("snippet", blocks("python"))
def test_snippet(snippet, environment, tmp_path):
    subprocess.run([sys.executable, "-W", "error::SyntaxWarning", "-c", snippet], env=environment, cwd=tmp_path, check=True, timeout=60)


def commands() -> list:
    """The commands of the console blocks, but those that set up or test this very checkout, or need a person's own sessions."""
    return [
        pytest.param(line.removeprefix("$ "), id=f"{param.id} {line[2:40]}")
        for param in blocks("console")
        for line in param.values[0].splitlines()
        if line.startswith("$ mosaic-telemetry ")
    ]


@pytest.mark.parametrize("command", commands())
def test_command(command, environment, tmp_path):
    words = command.split()
    if words[1] == "serve":
        words[words.index("--port") + 1] = "0"
        with subprocess.Popen(words, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert "listening on http://127.0.0.1:" in process.stdout.readline()
            process.terminate()
            assert process.wait(timeout=20) == 0
        return
    if words[1:3] == ["collect", "claude-code"]:
        recordings = ROOT / "src/mosaic_telemetry/cli/demo_data/claude-code-2.1.197"
        environment = {**environment, "CLAUDE_CONFIG_DIR": str(recordings)}
    started = time.monotonic()
    done = subprocess.run(words, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{done.stderr} after {time.monotonic() - started:.1f} s"
    assert done.stdout


def test_every_link_to_a_file_leads_somewhere():
    for document in DOCUMENTS:
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.relative_to(ROOT)} links to {target}"
