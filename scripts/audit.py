"""Look for known vulnerabilities of what is installed here; fail at those of high or critical severity.

pip-audit finds them and knows no severities: these come from OSV (https://osv.dev), by the advisory's own word or its CVSS score.
An advisory whose severity nobody tells counts as high.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from cvss import CVSS2, CVSS3, CVSS4

OSV = "https://api.osv.dev/v1"
LEVELS = ("none", "low", "moderate", "high", "critical")
_HIGH = LEVELS.index("high")
_SCORES = {"CVSS_V2": CVSS2, "CVSS_V3": CVSS3, "CVSS_V4": CVSS4}
# The qualitative scale of CVSS: the least score of each level.
_FLOORS = ((9.0, "critical"), (7.0, "high"), (4.0, "moderate"), (0.1, "low"), (0.0, "none"))


def severity(advisory: dict[str, Any]) -> str | None:
    """The level that an advisory in OSV's form tells: its own word, else by the highest of its CVSS scores; None where it tells none."""
    word = str((advisory.get("database_specific") or {}).get("severity", "")).lower().replace("medium", "moderate")
    if word in LEVELS:
        return word
    scores = [float(_SCORES[item["type"]](item["score"]).base_score) for item in advisory.get("severity", []) if item.get("type") in _SCORES]
    return next(level for floor, level in _FLOORS if max(scores) >= floor) if scores else None


def worst(levels: Iterable[str | None]) -> str:
    """The highest known level; high where none is known."""
    known = [level for level in levels if level is not None]
    return max(known, key=LEVELS.index) if known else "high"


def advisory(osv: str, name: str) -> dict[str, Any]:
    """An advisory by its id; empty where OSV has none under this id."""
    try:
        with urllib.request.urlopen(f"{osv}/vulns/{urllib.parse.quote(name)}", timeout=30) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 404:
                return {}
            raise


def findings(report: dict[str, Any]) -> Iterator[tuple[str, str, list[str], str]]:
    """Package, version, ids and the versions that mend it, for each vulnerability in pip-audit's JSON report."""
    for package in report["dependencies"]:
        for found in package.get("vulns", []):
            mended = ", ".join(found.get("fix_versions", [])) or "no version yet"
            yield package["name"], package["version"], [found["id"], *found.get("aliases", [])], mended


def main(words: Sequence[str]) -> int:
    """Audit; 0 where nothing of high severity was found, 1 where something was, 2 where it could not be told."""
    parser = argparse.ArgumentParser(prog="audit", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--osv", default=OSV, metavar="URL", help="OSV's API (default: %(default)s)")
    parser.add_argument("options", nargs="*", metavar="OPTION", help="further options of pip-audit, after --")
    said = parser.parse_args(words)
    command = [sys.executable, "-m", "pip_audit", "--vulnerability-service", "osv", "--osv-url", f"{said.osv}/query", "--format", "json"]
    done = subprocess.run([*command, "--progress-spinner", "off", "--skip-editable", *said.options], capture_output=True, text=True, check=False)
    try:
        report = json.loads(done.stdout)
        audited = sum("version" in package for package in report["dependencies"])
        found = [(line, worst(severity(advisory(said.osv, name)) for name in line[2])) for line in findings(report)]
    except (ValueError, OSError) as error:
        reason = next(reversed(done.stderr.strip().splitlines()), error) if isinstance(error, ValueError) else error
        print(f"audit: no answer: {reason}", file=sys.stderr)
        return 2
    if not audited:
        print("audit: nothing was looked at: is OSV reachable, and is anything installed here?", file=sys.stderr)
        return 2
    for (package, version, names, mended), level in sorted(found, key=lambda item: -LEVELS.index(item[1])):
        print(f"{level:<9} {package} {version}: {names[0]}; mended in {mended}")
    high = sum(LEVELS.index(level) >= _HIGH for _, level in found)
    print(f"{audited} packages, {len(found)} known vulnerabilities, {high} of high or critical severity")
    return 1 if high else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
