"""Build wheel and sdist into dist/, and check what a user will install, as a user installs it. Ends at the first thing that is wrong."""

from __future__ import annotations

import argparse
import ast
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import wheel_rules as wheels

ROOT = Path(__file__).resolve().parents[1]
CLIENT_TESTS = ("client", "schema")
_RUNNER = ("pytest", "pytest-timeout", "pytest-xdist")
_INSTALLED = "import importlib.metadata as m; print(*sorted(d.name for d in m.distributions()))"
# Reports a task to the server that comes with the SDK, with every module of it imported from the wheel.
_USE = """
import mosaic_telemetry, sys
from mosaic_telemetry import TelemetryClient, TelemetryConfig
from mosaic_telemetry.testing import LocalServer
assert "site-packages" in mosaic_telemetry.__file__, mosaic_telemetry.__file__
with LocalServer() as server:
    client = TelemetryClient(TelemetryConfig(server.url, server.api_key, server.instance_id, spool_dir=None))
    with client.task(task_type="testing", model="gpt-5", provider="openai") as task:
        task.add_usage(input_tokens=1000, output_tokens=10)
    assert client.stop()
    assert len(server.events) == 1
"""


class CheckError(Exception):
    """What is wrong with the release, in one line."""


def run(*words: str | Path, cwd: Path = ROOT, quiet: bool = True) -> str:
    """Its standard output; what it said goes on only where it fails, or where it is not quiet."""
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    pipe = subprocess.PIPE if quiet else None
    errors = subprocess.STDOUT if quiet else None
    done = subprocess.run([str(word) for word in words], cwd=cwd, env=environment, stdout=pipe, stderr=errors, text=True, check=False)
    if done.returncode:
        raise CheckError(f"{' '.join(str(word) for word in words[:6])} …: exit code {done.returncode}\n{done.stdout or ''}")
    return done.stdout or ""


def environment(folder: Path) -> Path:
    """An empty environment, without even pip; its interpreter."""
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def pip(python: Path, *words: str | Path) -> None:
    """Run this environment's pip for another one."""
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check", *words)


def build(dist: Path) -> tuple[Path, Path]:
    """The wheel and the sdist; the wheel is made from the sdist, which proves that it is complete."""
    shutil.rmtree(dist, ignore_errors=True)
    run(sys.executable, "-m", "build", "--outdir", dist)
    (made,), (source,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    run(sys.executable, "-m", "twine", "check", "--strict", made, source)
    return made, source


def check_contents(made: Path) -> int:
    """Refuse what does not belong into the wheel; the SDK's size in bytes."""
    found = list(wheels.problems(made))
    if found:
        raise CheckError("\n".join(found))
    with zipfile.ZipFile(made) as archive:
        return wheels.sdk_bytes(archive)


def check_alone(made: Path, folder: Path) -> None:
    """Install the wheel where there is nothing, from nowhere: this fails if it depends on anything."""
    python = environment(folder / "alone")
    pip(python, "--no-index", made)
    installed = run(python, "-c", _INSTALLED).split()
    if installed != ["mosaic-telemetry"]:
        raise CheckError(f"installed beside the wheel: {' '.join(installed)}")
    run(python, "-W", "error", "-c", _USE, cwd=folder)


def tools(folder: Path) -> list[str]:
    """The packages, with the versions of this environment, that the tests in a folder import."""
    nodes = [node for path in folder.rglob("*.py") for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    named = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    named |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    owners = metadata.packages_distributions()
    found = {owner for name in named for owner in owners.get(name.partition(".")[0], [])} - {"mosaic-telemetry"}
    return [f"{name}=={metadata.version(name)}" for name in sorted(found | set(_RUNNER))]


def check_tests(made: Path, folder: Path) -> str:
    """Run the client's tests against the wheel, from a folder without the sources; pytest's last line."""
    python = environment(folder / "tested")
    here = folder / "without-sources"
    for name in ("conftest.py", "support", *CLIENT_TESTS):
        source = ROOT / "tests" / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        (here / "tests").mkdir(parents=True, exist_ok=True)
        copy(source, here / "tests" / name)
    shutil.copy(ROOT / "pyproject.toml", here)
    pip(python, made, *sorted({tool for name in CLIENT_TESTS for tool in tools(here / "tests" / name)}))
    folders = [f"tests/{name}" for name in CLIENT_TESTS]
    said = run(python, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", *folders, cwd=here)
    return said.strip().splitlines()[-1]


def write_sbom(made: Path, folder: Path, path: Path) -> int:
    """Write the SBOM (CycloneDX, JSON) of the wheel with all its extras; the number of components."""
    python = environment(folder / "all")
    pip(python, f"{made}[all]")
    run(python, "-m", "mosaic_telemetry", "--version", cwd=folder)
    run(sys.executable, "-m", "cyclonedx_py", "environment", "--pyproject", "pyproject.toml", "--mc-type", "library", "--output-file", path, python)
    bom = json.loads(path.read_text(encoding="utf-8"))
    version = made.name.split("-")[1]
    bom["metadata"]["component"]["version"] = version
    with zipfile.ZipFile(made) as archive:
        shipped = wheels.scripts(archive)
    own = [item for item in bom["components"] if item["name"] == "mosaic-telemetry"]
    bom["components"] = [item for item in bom["components"] if item not in own] + shipped
    path.write_text(json.dumps(bom, indent=2) + "\n", encoding="utf-8")
    return len(bom["components"])


def main(words: Sequence[str]) -> None:
    """Build and check everything, one line for each thing that holds."""
    parser = argparse.ArgumentParser(prog="release_check", description=__doc__)
    parser.add_argument("--dist", type=Path, default=ROOT / "dist", help="where the files go (default: dist)")
    dist = parser.parse_args(words).dist.resolve()
    made, source = build(dist)
    print(f"built         {made.name} ({made.stat().st_size:,} bytes), {source.name} ({source.stat().st_size:,} bytes); twine finds nothing")
    print(f"contents      no tests, no caches; the SDK is {check_contents(made):,} bytes installed, at most {wheels.MAX_SDK_BYTES:,}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        check_alone(made, folder)
        print("alone         installs from no index into an empty environment, reports a task there: no dependencies")
        print(f"client tests  {check_tests(made, folder)}, against the wheel, without the sources")
        bom = dist / f"{made.name.split('-py3')[0]}.cdx.json"
        print(f"SBOM          {bom.name}: {write_sbom(made, folder, bom)} components with all extras")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except CheckError as error:
        sys.exit(f"release-check: {error}")
