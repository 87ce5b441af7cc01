"""What a wheel of ours may hold: the rules, and the script libraries that it ships with their versions."""

from __future__ import annotations

import email.parser
import gzip
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

MAX_SDK_BYTES = 300_000
# What `pip install mosaic-telemetry` is for: installed bytes of these are the size of the SDK.
SDK = re.compile(r"mosaic_telemetry/(?:(?:schema|client)/.*|testing\.py|__init__\.py|_version\.py|py\.typed)")
NEEDED = ("mosaic_telemetry/__init__.py", "mosaic_telemetry/py.typed")
_UNWANTED = re.compile(r"(^|/)(tests?|__pycache__|\.[^/]+)(/|$)|\.(pyc|pyo|orig|rej|log)$|(^|/)\.")


@dataclass(frozen=True, slots=True)
class Script:
    """A library for browsers that the server ships.

    Attributes:
        name: as npm names it.
        licence: SPDX identifier.
        version: pattern whose first group is the version that the file tells.
    """

    name: str
    licence: str
    version: re.Pattern[str]


SCRIPTS = {
    "swagger-ui-bundle.js.gz": Script("swagger-ui-dist", "Apache-2.0", re.compile(r'PACKAGE_VERSION:"([\d.]+)"')),
    "htmx.min.js": Script("htmx.org", "0BSD", re.compile(r'version:"(\d+\.\d+\.\d+)"')),
    "uPlot.iife.min.js": Script("uplot", "MIT", re.compile(r"uPlot \(v([\d.]+)\)")),
}
OWN_SCRIPTS = frozenset({"dashboard.js"})


def problems(path: Path) -> Iterator[str]:
    """What is wrong with a wheel, one line each."""
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        for name in names:
            top = name.partition("/")[0]
            if top != "mosaic_telemetry" and not top.endswith(".dist-info"):
                yield f"{name}: belongs to no package of ours"
            if _UNWANTED.search(name) and not _is_data(name):
                yield f"{name}: does not belong into a wheel"
        for name in NEEDED:
            if name not in names:
                yield f"{name}: missing"
        if not any(name.endswith(".dist-info/licenses/LICENSE") for name in names):
            yield "LICENSE: missing"
        if (size := sdk_bytes(wheel)) > MAX_SDK_BYTES:
            yield f"the SDK is {size:,} bytes installed, more than {MAX_SDK_BYTES:,}"
        for requirement in requirements(wheel):
            if "extra ==" not in requirement:
                yield f"{requirement}: the SDK depends on nothing"


def _is_data(name: str) -> bool:
    """Recorded sessions that the demo ships stand in folders of a person's home, hidden ones among them."""
    return name.startswith("mosaic_telemetry/cli/demo_data/") and not name.endswith((".pyc", ".pyo"))


def sdk_bytes(wheel: zipfile.ZipFile) -> int:
    """Bytes of the SDK once it is installed, without compiled files."""
    return sum(entry.file_size for entry in wheel.infolist() if SDK.fullmatch(entry.filename))


def requirements(wheel: zipfile.ZipFile) -> list[str]:
    """Its `Requires-Dist`."""
    name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return email.parser.Parser().parsestr(wheel.read(name).decode()).get_all("Requires-Dist") or []


def scripts(wheel: zipfile.ZipFile) -> list[dict[str, object]]:
    """The script libraries in a wheel as CycloneDX components.

    Raises:
        ValueError: for a script that `SCRIPTS` does not know, or whose version cannot be read.
    """
    found: list[dict[str, object]] = []
    for name in wheel.namelist():
        base = PurePosixPath(name).name
        if not base.endswith((".js", ".js.gz")) or base in OWN_SCRIPTS or _is_data(name):
            continue
        if base not in SCRIPTS:
            raise ValueError(f"{name}: name this library in scripts/wheel_rules.py, so that the SBOM has it")
        data = wheel.read(name)
        script, text = SCRIPTS[base], (gzip.decompress(data) if base.endswith(".gz") else data).decode()
        version = script.version.search(text)
        if version is None:
            raise ValueError(f"{name}: its version cannot be read")
        purl = f"pkg:npm/{script.name}@{version[1]}"
        licences = [{"license": {"id": script.licence}}]
        found.append({"type": "library", "bom-ref": purl, "name": script.name, "version": version[1], "purl": purl, "licenses": licences})
    return sorted(found, key=lambda item: str(item["name"]))
