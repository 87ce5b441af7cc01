"""Publish the package: stamp its version, upload what the registry does not have yet, link it to its repository on the forge.

Two channels. `release` (branch main) publishes the version of `_version.py` when it is new; `development` (branch develop) publishes
X.Y.Z.devYYYYMMDDHHMMSS (PEP 440), stamped into `_version.py` before the build. Standard library only; the upload itself is twine's.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import html.parser
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

PACKAGE = "mosaic-telemetry"
VERSION_FILE = Path(__file__).resolve().parents[1] / "src/mosaic_telemetry/_version.py"
DEVELOPMENT_BRANCH = "develop"
T = TypeVar("T")
_VERSION = re.compile(r'^(__version__ = ")([^"]+)(")$', re.MULTILINE)
_RELEASE = re.compile(r"\d+\.\d+\.\d+")
_DEVELOPMENT = re.compile(r"\d+\.\d+\.\d+\.dev\d{14}")


class ReleaseError(Exception):
    """What stopped the release, in one line."""


class FinalError(ReleaseError):
    """What trying again cannot mend."""


@dataclass(frozen=True, slots=True)
class Registry:
    """A package registry.

    Attributes:
        url: where twine uploads to; Gitea's is https://HOST/api/packages/OWNER/pypi.
        index: its simple index (PEP 503).
        user: name that goes with the token.
        token: secret; sent to this registry only, never to where it redirects.
    """

    url: str
    index: str
    user: str
    token: str

    def files(self) -> dict[str, str | None]:
        """Name to SHA-256 (None where the index does not tell) of every published file; empty for an unknown package."""
        request = urllib.request.Request(f"{self.index.rstrip('/')}/{PACKAGE}/", headers={"Accept": "text/html"})
        if self.token:
            secret = base64.b64encode(f"{self.user}:{self.token}".encode()).decode()
            request.add_unredirected_header("Authorization", f"Basic {secret}")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return read_index(answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 404:
                    return {}
                raise ReleaseError(f"the registry's index answers HTTP {error.code}: check its URL, user and token") from None
        except OSError as error:
            raise ReleaseError(f"the registry's index cannot be reached: {error}") from None

    def upload(self, files: Sequence[Path]) -> None:
        """Hand the files to twine; the token goes through the environment, where no list of processes shows it."""
        words = [sys.executable, "-m", "twine", "upload", "--non-interactive", "--disable-progress-bar", "--repository-url", self.url, *map(str, files)]
        environment = os.environ | {"TWINE_USERNAME": self.user, "TWINE_PASSWORD": self.token}
        if subprocess.run(words, env=environment, check=False).returncode != 0:
            raise ReleaseError("twine could not upload; its reason stands above")


class _Links(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.targets += [value for name, value in attrs if name == "href" and value]


def read_index(page: str) -> dict[str, str | None]:
    """The files that a page of a simple index (PEP 503) links to, each with its SHA-256 where the link tells it."""
    links = _Links()
    links.feed(page)
    files = {}
    for target in links.targets:
        address, _, fragment = target.partition("#")
        kind, _, digest = fragment.partition("=")
        files[urllib.parse.unquote(urllib.parse.urlsplit(address).path.rpartition("/")[2])] = digest if kind == "sha256" else None
    return files


def development_version(version: str, now: datetime) -> str:
    """X.Y.Z.devYYYYMMDDHHMMSS of a version X.Y.Z at a moment, in UTC."""
    if not _RELEASE.fullmatch(version):
        raise ReleaseError(f"{version} is not of the form X.Y.Z")
    return f"{version}.dev{now.astimezone(UTC):%Y%m%d%H%M%S}"


def stamp(path: Path, branch: str, now: datetime) -> str:
    """Write a development version into the version file where the branch publishes such; the version that is now in it."""
    text = path.read_text(encoding="utf-8")
    found = _VERSION.search(text)
    if found is None:
        raise ReleaseError(f'{path}: no line __version__ = "…"')
    if branch != DEVELOPMENT_BRANCH:
        return found[2]
    version = development_version(found[2], now)
    path.write_text(_VERSION.sub(rf"\g<1>{version}\g<3>", text), encoding="utf-8")
    return version


def version_of(files: Sequence[Path]) -> str:
    """The one version that wheel and sdist share."""
    stem = PACKAGE.replace("-", "_")
    wheels = {file.name.split("-")[1] for file in files if file.suffix == ".whl" and file.name.startswith(f"{stem}-")}
    sources = {file.name.removeprefix(f"{stem}-").removesuffix(".tar.gz") for file in files if file.name.endswith(".tar.gz")}
    if len(files) != 2 or len(wheels) != 1 or wheels != sources:
        raise ReleaseError(f"expected one wheel and one sdist of one version, not {', '.join(file.name for file in files) or 'nothing'}")
    return wheels.pop()


def publish(registry: Registry, channel: str, files: Sequence[Path], *, tries: int, pause: float) -> str:
    """Upload the files that the registry does not have; what happened, in one line. Trying again does no harm.

    Raises:
        ReleaseError: after the last try, or at once where the registry holds another file under one of these names.
    """
    version = version_of(files)
    if not (_RELEASE if channel == "release" else _DEVELOPMENT).fullmatch(version):
        raise ReleaseError(f"{version} is no version of the {channel} channel")
    digests = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    before = registry.files()
    if digests.keys() <= before.keys():
        return f"{PACKAGE} {version} is published already: nothing to do"

    def upload() -> None:
        published = registry.files()
        for name in digests.keys() & published.keys():
            if published[name] not in {None, digests[name]}:
                raise FinalError(f"{name} is published with other content: raise the version")
        registry.upload([file for file in files if file.name not in published])

    again(upload, tries=tries, pause=pause)
    newer = channel == "development" and any(name.startswith(f"{PACKAGE.replace('-', '_')}-{version.partition('.dev')[0]}-") for name in before)
    advice = f"; {version.partition('.dev')[0]} is released already, so pip prefers it: raise the version on {DEVELOPMENT_BRANCH}" if newer else ""
    return f"{PACKAGE} {version} is published{advice}"


def link(forge: str, owner: str, repository: str, token: str) -> str:
    """Link the package to its repository by Gitea's API: 201 and 204 are success, 400 means linked already."""
    quoted = (urllib.parse.quote(part, safe="") for part in (owner, PACKAGE, repository))
    path = "/api/v1/packages/{}/pypi/{}/-/link/{}".format(*quoted)
    request = urllib.request.Request(forge.rstrip("/") + path, data=b"", method="POST")
    request.add_unredirected_header("Authorization", f"token {token}")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            status = answer.status
    except urllib.error.HTTPError as error:
        with error:
            status = error.code
    except OSError as error:
        raise ReleaseError(f"the forge cannot be reached: {error}") from None
    if status == 400:
        return f"{PACKAGE} is linked to {owner}/{repository} already"
    if status not in {201, 204}:
        raise ReleaseError(f"the forge answers HTTP {status} to linking {PACKAGE} to {owner}/{repository}")
    return f"{PACKAGE} is linked to {owner}/{repository}"


def again(action: Callable[[], T], *, tries: int, pause: float) -> T:
    """The action's answer; after a ReleaseError it is tried again, `pause` seconds later, `tries` times in all."""
    for left in range(tries - 1, -1, -1):
        try:
            return action()
        except FinalError:
            raise
        except ReleaseError as error:
            if not left:
                raise
            print(f"release: {error}; trying again in {pause:g} s, {left} left", file=sys.stderr)
            time.sleep(pause)
    raise ReleaseError("no try was allowed")


def _parser(env: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="release", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    stamping = commands.add_parser("stamp", help="write a development version where the branch publishes such")
    stamping.add_argument("--branch", default=env.get("CI_COMMIT_BRANCH") or env.get("GITHUB_REF_NAME", ""))
    stamping.add_argument("--file", type=Path, default=VERSION_FILE)
    publishing = commands.add_parser("publish", help="upload what is not published yet")
    publishing.add_argument("--channel", choices=["release", "development"], required=True)
    publishing.add_argument("files", type=Path, nargs="+", metavar="FILE")
    linking = commands.add_parser("link", help="link the package to its repository")
    linking.add_argument("--owner", default=env.get("CI_REPO_OWNER") or env.get("GITHUB_REPOSITORY_OWNER", ""))
    linking.add_argument("--repository", default=env.get("CI_REPO_NAME") or env.get("GITHUB_REPOSITORY", "").rpartition("/")[2])
    for command in (publishing, linking):
        command.add_argument("--tries", type=int, default=3, help="tries in all (default: %(default)s)")
        command.add_argument("--pause", type=float, default=5.0, metavar="SECONDS", help="seconds between two tries (default: %(default)g)")
    return parser


def _needed(env: Mapping[str, str], name: str) -> str:
    if not env.get(name):
        raise ReleaseError(f"{name} is not set: it comes from the secrets of the CI")
    return env[name]


def main(words: Sequence[str], env: Mapping[str, str]) -> str:
    """Do what the words say; what happened, in one line."""
    said = _parser(env).parse_args(words)
    if said.command == "stamp":
        return stamp(said.file, said.branch, datetime.now(UTC))
    if said.command == "publish":
        url = _needed(env, "REGISTRY_URL").rstrip("/")
        index = env.get("REGISTRY_INDEX_URL") or f"{url}/simple"
        registry = Registry(url, index, env.get("REGISTRY_USER") or "__token__", _needed(env, "REGISTRY_TOKEN"))
        return publish(registry, said.channel, said.files, tries=said.tries, pause=said.pause)
    forge, token = _needed(env, "FORGE_URL"), env.get("FORGE_TOKEN") or _needed(env, "REGISTRY_TOKEN")
    return again(lambda: link(forge, said.owner, said.repository, token), tries=said.tries, pause=said.pause)


if __name__ == "__main__":
    try:
        print(main(sys.argv[1:], os.environ))
    except ReleaseError as error:
        sys.exit(f"release: {error}")
