"""The changelog keeps the form of Keep a Changelog 1.1.0."""

import re
from datetime import date
from pathlib import Path

from packaging.version import Version

import mosaic_telemetry

TEXT = (Path(__file__).parents[2] / "CHANGELOG.md").read_text(encoding="utf-8")
KINDS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
_RELEASE = re.compile(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2})( \[YANKED\])?")


def headings(level):
    return re.findall(rf"^{'#' * level} (.+)$", TEXT, re.MULTILINE)


def releases():
    return [(Version(match[1]), date.fromisoformat(match[2])) for match in map(_RELEASE.fullmatch, headings(2)[1:]) if match]


def test_it_says_what_it_is():
    assert headings(1) == ["Changelog"]
    assert "https://keepachangelog.com/en/1.1.0/" in TEXT
    assert "https://semver.org/" in TEXT


def test_first_what_is_not_released_then_releases_newest_first_each_with_its_day():
    first, *others = headings(2)
    assert first == "[Unreleased]"
    assert [heading for heading in others if not _RELEASE.fullmatch(heading)] == []
    assert releases() == sorted(releases(), reverse=True)


def test_changes_are_grouped_by_kind_in_order_and_once_a_release():
    for section in re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]:
        kinds = re.findall(r"^### (.+)$", section, re.MULTILINE)
        assert kinds == [kind for kind in KINDS if kind in kinds]
        for body in re.split(r"^### .+$", section, flags=re.MULTILINE)[1:]:
            lines = [line for line in body.splitlines() if line and not line.startswith("[")]
            assert lines, "no kind without a change"
            assert all(line.startswith(("- ", "  ")) for line in lines), lines


def test_the_version_in_the_package_is_not_behind_the_last_release():
    current = Version(Version(mosaic_telemetry.__version__).base_version)
    assert all(version <= current for version, _ in releases())
