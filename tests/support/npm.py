"""Programs from the npm registry, each at one version, installed where git does not look."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

__all__ = ["FOLDER", "NodeTooOldError", "Pin", "RegistryUnreachableError", "install"]

FOLDER = Path(__file__).parents[2] / ".venvs" / "harnesses"
_OPTIONS = ("--json", "--engine-strict", "--no-audit", "--no-fund", "--no-update-notifier", "--fetch-retries=1", "--fetch-retry-mintimeout=500")
_SILENT = {
    *("EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "EHOSTUNREACH", "ENETUNREACH", "ENOTFOUND", "EPIPE", "ETIMEDOUT"),
    *("ERR_SOCKET_TIMEOUT", "FETCH_ERROR", "E407", "E408", "E429", "E500", "E502", "E503", "E504"),
}


class RegistryUnreachableError(Exception):
    """The registry gave no answer: nothing is known about the pin."""


class NodeTooOldError(Exception):
    """The package does not run on this version of node."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A package at one version, and the program in it."""

    package: str
    version: str
    program: str

    def __str__(self) -> str:
        return f"{self.package}@{self.version}"


def install(pin: Pin, folder: Path = FOLDER, env: Mapping[str, str] | None = None) -> Path:
    """The program, installed below `folder` once; a second call, or a call after one that was killed, does no harm.

    Args:
        pin: what to install.
        folder: where.
        env: further environment variables of npm.

    Raises:
        RegistryUnreachableError: the registry gave no answer.
        NodeTooOldError: `engines` of the package asks for another node.
        FileNotFoundError: npm is not installed.
        RuntimeError: npm failed otherwise, as for a version that does not exist; or the program says another version.
    """
    place = folder / str(pin).replace("/", "-")
    inside = Path("node_modules", ".bin", pin.program)
    if not (place / inside).exists():
        shutil.rmtree(place, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder, prefix=".installing-") as fresh:  # renamed when it is whole
            _npm_install(pin, Path(fresh, "whole"), env)
            if not (place / inside).exists():  # another run may have been faster
                Path(fresh, "whole").rename(place)
    said = subprocess.run([place / inside, "--version"], env=_bare(place), capture_output=True, text=True, timeout=120, check=False)
    if pin.version not in said.stdout:
        raise RuntimeError(f"{place / inside} should be {pin.version}, but says {said.stdout.strip()!r} {said.stderr.strip()!r}")
    return place / inside


def _bare(home: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(home), "HTTPS_PROXY": "http://127.0.0.1:9", "DISABLE_AUTOUPDATER": "1"}


def _npm_install(pin: Pin, place: Path, env: Mapping[str, str] | None) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError("npm is not installed")
    place.mkdir()
    words = [npm, "install", *_OPTIONS, "--prefix", str(place), str(pin)]
    try:
        done = subprocess.run(words, env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=500, check=False)
    except subprocess.TimeoutExpired as problem:
        raise RegistryUnreachableError(f"npm did not get {pin} within {problem.timeout:g} s") from None
    if done.returncode == 0:
        return
    code, summary = _reason(done.stdout)
    told = f"npm cannot install {pin}: {code} {summary or done.stderr.strip()}"
    if code in _SILENT:
        raise RegistryUnreachableError(told)
    if code == "EBADENGINE":
        raise NodeTooOldError(told)
    raise RuntimeError(told)


def _reason(output: str) -> tuple[str, str]:
    """npm's code and words for what went wrong."""
    try:
        error = json.loads(output)["error"]
    except (ValueError, KeyError, TypeError):
        return "", output.strip()
    return str(error.get("code") or ""), " ".join(str(error.get("summary") or "").split())
