"""Publishing to a registry and linking on a forge, both real servers of this machine."""

import io
import re
import subprocess
import sys
import tarfile
import zipfile
from datetime import UTC, datetime

import pytest
from packaging.version import Version
from support.forge import LINK, TOKEN, USER

INDEX = "/api/packages/owner/pypi/simple/mosaic-telemetry/"
UPLOAD = "/api/packages/owner/pypi"


def packages(folder, version):
    """The smallest wheel and sdist that twine takes."""
    folder.mkdir(exist_ok=True)
    metadata = f"Metadata-Version: 2.1\nName: mosaic-telemetry\nVersion: {version}\n"
    wheel = folder / f"mosaic_telemetry-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        info = f"mosaic_telemetry-{version}.dist-info"
        archive.writestr(f"{info}/METADATA", metadata)
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    source = folder / f"mosaic_telemetry-{version}.tar.gz"
    with tarfile.open(source, "w:gz") as archive:
        for name in ("PKG-INFO", "pyproject.toml"):
            data = metadata.encode()
            entry = tarfile.TarInfo(f"mosaic_telemetry-{version}/{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return [wheel, source]


def test_a_new_version_is_uploaded_and_found_again(release, forge, tmp_path):
    files = packages(tmp_path, "0.1.0")
    done = release("publish", "--channel", "release", *files)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "mosaic-telemetry 0.1.0 is published"), done.stderr
    assert forge.files == {file.name: file.read_bytes() for file in files}
    again = release("publish", "--channel", "release", *files)
    assert again.stdout == "mosaic-telemetry 0.1.0 is published already: nothing to do\n"
    assert forge.count("POST", UPLOAD) == 2
    assert TOKEN not in done.stdout + done.stderr


def test_half_an_upload_is_completed(release, forge, tmp_path):
    wheel, source = packages(tmp_path, "0.1.0")
    forge.files[wheel.name] = wheel.read_bytes()
    assert release("publish", "--channel", "release", wheel, source).returncode == 0
    assert set(forge.files) == {wheel.name, source.name}


def test_a_published_file_is_never_replaced_by_another(release, forge, tmp_path):
    wheel, source = packages(tmp_path, "0.1.0")
    forge.files[wheel.name] = b"another"
    done = release("publish", "--channel", "release", wheel, source, "--pause", "60")
    assert done.returncode == 1
    assert done.stderr == f"release: {wheel.name} is published with other content: raise the version\n"
    assert forge.files == {wheel.name: b"another"}


def test_a_registry_that_fails_is_asked_three_times(release, forge, tmp_path):
    files = packages(tmp_path, "0.1.0")
    forge.refuse("POST", UPLOAD, 500, 500)
    done = release("publish", "--channel", "release", *files, "--pause", "0.01")
    assert done.returncode == 0, done.stderr
    assert set(forge.files) == {file.name for file in files}
    forge.files.clear()
    forge.refuse("POST", UPLOAD, *[403] * 9)
    done = release("publish", "--channel", "release", *files, "--pause", "0.01")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "release: twine could not upload; its reason stands above"


def test_a_wrong_token_is_one_line(release, tmp_path):
    done = release("publish", "--channel", "release", *packages(tmp_path, "0.1.0"), "--pause", "0.01", REGISTRY_TOKEN="wrong")
    assert (done.returncode, done.stderr) == (1, "release: the registry's index answers HTTP 401: check its URL, user and token\n")


@pytest.mark.parametrize("name", ["REGISTRY_URL", "REGISTRY_TOKEN"])
def test_a_missing_secret_is_named(release, tmp_path, name):
    done = release("publish", "--channel", "release", *packages(tmp_path, "0.1.0"), **{name: ""})
    assert (done.returncode, done.stderr) == (1, f"release: {name} is not set: it comes from the secrets of the CI\n")


@pytest.mark.parametrize(("channel", "version"), [("release", "0.1.0.dev20261123060000"), ("development", "0.1.0")])
def test_a_version_goes_to_its_own_channel_only(release, forge, tmp_path, channel, version):
    done = release("publish", "--channel", channel, *packages(tmp_path, version))
    assert (done.returncode, done.stderr) == (1, f"release: {version} is no version of the {channel} channel\n")
    assert forge.requests == []


def test_more_or_less_than_one_wheel_and_one_sdist_is_refused(release, tmp_path):
    wheel, source = packages(tmp_path, "0.1.0")
    others = packages(tmp_path / "more", "0.2.0")
    for files in ([wheel], [wheel, others[1]], [wheel, source, *others]):
        done = release("publish", "--channel", "release", *files)
        assert done.returncode == 1
        assert done.stderr.startswith("release: expected one wheel and one sdist of one version, not mosaic_telemetry-0.1.0")


def test_a_development_version_after_its_release_says_that_pip_prefers_the_release(release, tmp_path):
    assert release("publish", "--channel", "release", *packages(tmp_path / "a", "0.1.0")).returncode == 0
    done = release("publish", "--channel", "development", *packages(tmp_path / "b", "0.1.0.dev20261123060000"))
    assert done.stdout.splitlines()[-1].endswith("0.1.0 is released already, so pip prefers it: raise the version on develop")


@pytest.mark.parametrize(("options", "version"), [([], "0.1.0"), (["--pre"], "0.2.0.dev20261123060000")], ids=["release", "development"])
def test_pip_finds_each_channel_as_the_guide_says(release, forge, tmp_path, options, version):
    assert release("publish", "--channel", "release", *packages(tmp_path / "a", "0.1.0")).returncode == 0
    assert release("publish", "--channel", "development", *packages(tmp_path / "b", "0.2.0.dev20261123060000")).returncode == 0
    index = f"{forge.registry}/simple".replace("http://", f"http://{USER}:{TOKEN}@")
    target = tmp_path / "got"
    words = [sys.executable, "-m", "pip", "download", "--isolated", "--no-cache-dir", "--no-deps", "--dest", str(target), "--index-url", index]
    done = subprocess.run([*words, *options, "mosaic-telemetry"], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in target.iterdir()] == [f"mosaic_telemetry-{version}-py3-none-any.whl"]


def test_develop_is_stamped_with_its_moment_and_other_branches_are_not(release, tmp_path):
    path = tmp_path / "_version.py"
    path.write_text('"""The version, in one place."""\n\n__version__ = "1.2.3"\n', encoding="utf-8")
    before = datetime.now(UTC).replace(microsecond=0)
    assert release("stamp", "--file", path, "--branch", "main").stdout == "1.2.3\n"
    version = release("stamp", "--file", path, CI_COMMIT_BRANCH="develop").stdout.strip()
    assert re.fullmatch(r"1\.2\.3\.dev\d{14}", version)
    assert before <= datetime.strptime(version[-14:], "%Y%m%d%H%M%S").replace(tzinfo=UTC) <= datetime.now(UTC)
    assert f'__version__ = "{version}"\n' in path.read_text(encoding="utf-8")
    assert str(Version(version)) == version, "PEP 440, in its normal form"
    assert Version("1.2.2") < Version(version) < Version("1.2.3")
    twice = release("stamp", "--file", path, "--branch", "develop")
    assert (twice.returncode, twice.stderr) == (1, f"release: {version} is not of the form X.Y.Z\n")


@pytest.mark.parametrize("status", [201, 204])
def test_linking_then_linked_already(release, forge, status):
    forge.files["mosaic_telemetry-0.1.0.tar.gz"] = b""
    forge.link_status = status
    assert release("link").stdout == "mosaic-telemetry is linked to owner/repository\n"
    assert release("link").stdout == "mosaic-telemetry is linked to owner/repository already\n"
    assert [seen.authorization for seen in forge.requests] == [f"token {TOKEN}"] * 2


def test_linking_waits_for_the_package_to_be_there(release, forge):
    forge.files["mosaic_telemetry-0.1.0.tar.gz"] = b""
    forge.refuse("POST", LINK, 404, 502)
    done = release("link", "--pause", "0.01")
    assert (done.returncode, forge.count("POST", LINK)) == (0, 3)
    forge.refuse("POST", LINK, 404, 404, 404)
    done = release("link", "--pause", "0.01")
    assert (done.returncode, forge.count("POST", LINK)) == (1, 6)
    assert done.stderr.splitlines()[-1] == "release: the forge answers HTTP 404 to linking mosaic-telemetry to owner/repository"
    assert TOKEN not in done.stdout + done.stderr


def test_a_forge_that_is_not_there_is_one_line(release):
    done = release("link", "--tries", "1", FORGE_URL="http://127.0.0.1:9")
    assert done.returncode == 1
    assert done.stderr.startswith("release: the forge cannot be reached: ")


@pytest.mark.parametrize("command", ["publish", "link"])
def test_the_rule_is_three_tries_five_seconds_apart(release, command):
    shown = release(command, "--help").stdout
    assert "tries in all (default: 3)" in shown
    assert "seconds between two tries (default: 5)" in shown
