"""The site: built strictly, complete, and asking no other host for anything."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


class Loads(HTMLParser):
    """What a browser fetches by itself to show a page; links that a person may follow are none of it."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag in {"script", "img", "iframe", "source", "video", "audio", "embed"}:
            self.found += [values.get("src") or "", *(values.get("srcset") or "").split()]
        if tag == "link" and values.get("rel") not in {"canonical", "prev", "next"}:
            self.found.append(values.get("href") or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    words = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(words, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_is_built_and_in_the_navigation(site):
    home = (site / "index.html").read_text(encoding="utf-8")
    for page in (ROOT / "docs").rglob("*.md"):
        name = page.relative_to(ROOT / "docs").with_suffix("").as_posix().removesuffix("index")
        if name:
            assert (site / name / "index.html").is_file()
            assert f'href="{name.rstrip("/")}/"' in home, f"{name} is not in the navigation"


def test_no_page_asks_another_host_for_anything(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        loads = Loads()
        loads.feed(page.read_text(encoding="utf-8"))
        assert [address for address in loads.found if re.match(r"(https?:)?//", address)] == [], page.name
    for style in site.rglob("*.css"):
        assert not re.search(r"@import|url\(['\"]?(https?:)?//", style.read_text(encoding="utf-8")), style.name


def test_names_of_the_sdk_are_documented_from_their_docstrings(site):
    text = (site / "api" / "index.html").read_text(encoding="utf-8")
    for name in ("TelemetryClient.track", "TelemetryClient.flush", "TelemetryConfig.from_env", "EventBuilder.build", "Task.add_usage", "Complexity.LOW"):
        assert f'id="mosaic_telemetry.{name}"' in text, name
