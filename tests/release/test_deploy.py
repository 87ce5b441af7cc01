"""The unit and the container file: checked by the programs that read them, where those are there, and what they start is started."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
from contextlib import contextmanager
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"
UNIT = DEPLOY / "mosaic-telemetry.service"
PROGRAM = Path(sys.executable).with_name("mosaic-telemetry")
LEAST_SYSTEMD = 250  # the first that looks at a unit that is not installed
MOST_EXPOSED = 20  # of 100


@pytest.fixture
def analyze():
    """Run systemd-analyze, where it is there and new enough."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("no systemd-analyze on this machine")

    def run(*words):
        return subprocess.run([program, *map(str, words)], capture_output=True, text=True, timeout=60, check=False)

    if int(re.search(r"\d+", run("--version").stdout)[0]) < LEAST_SYSTEMD:
        pytest.skip("this systemd-analyze cannot look at a unit that is not installed")
    return run


def settings(name):
    """The values of a setting of the unit."""
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(), re.MULTILINE)


def test_systemd_understands_all_of_the_unit(analyze, tmp_path):
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace(shlex.split(settings("ExecStart")[0])[0], str(PROGRAM)))
    done = analyze("verify", unit)
    assert (done.returncode, done.stdout, [line for line in done.stderr.splitlines() if UNIT.name in line]) == (0, "", [])
    unit.write_text(unit.read_text().replace("ProtectHome=", "ProtectTheHome="))
    assert "ProtectTheHome" in analyze("verify", unit).stderr  # it does look


def test_the_unit_gives_the_server_little_to_do_harm_with(analyze):
    done = analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED}", UNIT)
    assert done.returncode == 0, done.stdout


@contextmanager
def started(words, **environment):
    """The server that these words start; the URL where it listens."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MOSAIC_TELEMETRY_")}
    process = subprocess.Popen([str(PROGRAM), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**kept, **environment})
    try:
        line = process.stdout.readline()
        assert "listening on" in line, process.communicate(timeout=30)
        yield line.split("listening on ")[1].split()[0]
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=60)[1] == ""
        assert process.returncode == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def test_what_the_unit_starts_runs_and_stops(tmp_path):
    """With the files that the page on running a server shows, in a directory of the test."""
    config = tmp_path / "server.toml"
    config.write_text('port = 0\nworkers = 2\nlog_format = "json"\n')
    _, *words = shlex.split(settings("ExecStart")[0])
    words = [str(config) if word.startswith("/etc/") else word for word in words]
    environment = dict(line.split("=", 1) for line in settings("Environment"))
    assert environment == {"MOSAIC_TELEMETRY_DATABASE": f"/var/lib/{settings('StateDirectory')[0]}/telemetry.db"}
    environment = {"MOSAIC_TELEMETRY_DATABASE": str(tmp_path / "telemetry.db"), "MOSAIC_TELEMETRY_ADMIN_KEY": "k" * 32}
    with started(words, **environment) as url:
        assert url.startswith("http://127.0.0.1:")
    assert int(settings("TimeoutStopSec")[0]) > 30  # longer than the supervisor gives its processes


def instructions():
    """The container file's instructions: (name, rest)."""
    text = re.sub(r"\\\n\s*", "", (DEPLOY / "Containerfile").read_text())
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line and not line.startswith("#")]


def test_what_the_container_starts_runs_is_found_healthy_and_stops(tmp_path):
    found = dict(instructions())
    variables = dict(shlex.split(found["ENV"])[number].split("=", 1) for number in range(1, 5))
    assert variables.pop("MOSAIC_TELEMETRY_HOST") == "0.0.0.0"
    assert variables["MOSAIC_TELEMETRY_DATABASE"].startswith(found["VOLUME"])
    assert json.loads(found["ENTRYPOINT"]) == [PROGRAM.name]
    variables |= {"MOSAIC_TELEMETRY_DATABASE": str(tmp_path / "telemetry.db"), "MOSAIC_TELEMETRY_PORT": "0", "MOSAIC_TELEMETRY_ADMIN_KEY": "k" * 32}
    healthy = json.loads(found["HEALTHCHECK"].partition("CMD ")[2])
    assert healthy.pop(0) == "python"

    def health(url):
        words = [word.replace(f"http://127.0.0.1:{found['EXPOSE']}", url) for word in healthy]
        assert words != healthy
        return subprocess.run([sys.executable, *words], capture_output=True, timeout=60, check=False).returncode

    with started(json.loads(found["CMD"]), **variables) as url:
        assert health(url) == 0
    assert health(url) != 0


def test_the_build_of_the_container_is_given_what_the_package_is_made_of():
    copied = {word for name, rest in instructions() if name == "COPY" and not rest.startswith("--from") for word in rest.split()[:-1]}
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text())
    version = Path(project["tool"]["hatch"]["version"]["path"]).parts[0]
    assert copied == {"pyproject.toml", project["project"]["readme"], *project["project"]["license-files"], version}
