"""Take the pictures of the documents: each page of the dashboard in light and dark, and what the main commands print.

Takes Chromium (Debian's package), found on the PATH, for the pages; the commands' pictures are SVG. All of it shows an invented
team's tasks and recorded sessions in a temporary home; nothing of this machine is in the pictures, and nothing leaves it.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import picture_data
from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

import mosaic_telemetry.cli
from mosaic_telemetry.cli.demo_recordings import lay_out

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
_RECORDINGS = Path(mosaic_telemetry.cli.__file__).parent / "demo_data"
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
_QUIET = ("no-sandbox", "disable-background-networking", "disable-component-update", "disable-sync", "no-first-run", "disable-gpu", "hide-scrollbars")
_WIDTH = 1120
_HEIGHTS = {"accuracy": 930, "activity": 940, "overview": 1150}  # of pages that go on with more of the same
_ADMIN_KEY = "ad" * 32

PAGES = {
    "overview": "/?days=90",
    "models": "/models?task_type=implementation&complexity=medium",
    "predict": "/predict?task_type=implementation&model=claude-sonnet-4-5&provider=anthropic&complexity=medium",
    "accuracy": "/accuracy",
    "activity": "/activity",
    "instances": "/instances",
}
"""Name of a picture to the address of its page."""

_SESSION = {
    "model": {"id": "claude-sonnet-4-5", "display_name": "Sonnet 4.5"},
    "cost": {"total_cost_usd": 0.4231, "total_duration_ms": 754_000},
    "context_window": {"used_percentage": 34},
}
COMMANDS: dict[str, tuple[str, ...]] = {
    "welcome": (),
    "doctor": ("doctor",),
    "collect": ("collect", "claude-code", "--dry-run"),
    "report": ("report", "--since", "7d"),
    "compare": ("compare", "--task-type", "implementation"),
    "predict": ("predict", "--task-type", "implementation", "--model", "claude-sonnet-4-5"),
    "budget": ("budget", "--task-type", "testing", "--model", "gpt-5.2-codex", "--cost", "0.50"),
    "statusline": ("statusline",),
}
"""Name of a picture to the words of its command."""


def take_pages(database: Path, env: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """Each page in both themes, and the overview as a phone shows it."""
    from playwright.sync_api import sync_playwright

    found = next((path for name in _CHROMIUM if (path := shutil.which(name))), None)
    if found is None:
        sys.exit("no Chromium on this machine: install Debian's package chromium, or ask for --only commands")
    with _server(database, env) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=[f"--{word}" for word in _QUIET])
        for theme in ("light", "dark"):
            context = browser.new_context(base_url=url, viewport={"width": _WIDTH, "height": 600}, color_scheme=theme)
            page = context.new_page()
            _sign_in(page)
            for name, address in PAGES.items():
                page.goto(address)
                page.wait_for_load_state("networkidle")
                height = page.evaluate("document.documentElement.scrollHeight")
                yield (
                    f"{name}-{theme}",
                    page.screenshot(full_page=True, clip={"x": 0, "y": 0, "width": _WIDTH, "height": min(height, _HEIGHTS.get(name, height))}),
                )
            context.close()
            context = browser.new_context(base_url=url, viewport={"width": 390, "height": 844}, color_scheme=theme, device_scale_factor=2)
            page = context.new_page()
            page.goto(PAGES["overview"])
            page.wait_for_load_state("networkidle")
            yield f"phone-{theme}", page.screenshot()
            context.close()
        browser.close()


def _sign_in(page: Any) -> None:
    page.goto("/instances")
    page.get_by_label("Admin key").fill(_ADMIN_KEY)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_load_state("networkidle")


@contextmanager
def _server(database: Path, env: Mapping[str, str]) -> Iterator[str]:
    words = [sys.executable, "-m", "mosaic_telemetry", "serve", "--port", "0", "--database", str(database)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={**env, "MOSAIC_TELEMETRY_ADMIN_KEY": _ADMIN_KEY}) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            url = next(word for word in line.split() if word.startswith("http"))
            urllib.request.urlopen(f"{url}/readyz", timeout=30).close()
            yield url
        finally:
            process.terminate()


def take_commands(home: Path, env: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """What each command prints on a terminal of 80 columns."""
    for name, words in COMMANDS.items():
        printed = _on_terminal(words, json.dumps(_SESSION) if name == "statusline" else "", env)
        printed = printed.replace(str(home), "~")
        console = Console(record=True, width=100 if name == "statusline" else 80, file=io.StringIO(), force_terminal=True, highlight=False)
        shown = "mosaic-telemetry statusline < session.json" if name == "statusline" else " ".join(["mosaic-telemetry", *words])
        console.print(Text(f"$ {shown}", style="bold"), "", Text.from_ansi(printed.rstrip()), sep="\n")
        picture = console.export_svg(title="", theme=DIMMED_MONOKAI, unique_id=name)
        yield name, _without_foreign_fonts(picture).encode()


def _on_terminal(words: Sequence[str], given: str, env: Mapping[str, str]) -> str:
    """What a command prints where standard output is a terminal."""
    ours, its = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "mosaic_telemetry", *words],
            stdin=subprocess.PIPE,
            stdout=its,
            stderr=its,
            env={**env, "COLUMNS": "80", "LINES": "50", "TERM": "xterm-256color", "COLORTERM": "truecolor"},
            cwd=env["HOME"],
        )
    finally:
        os.close(its)
    if process.stdin:
        process.stdin.write(given.encode())
        process.stdin.close()
    printed = b""
    while True:
        try:
            some = os.read(ours, 65_536)
        except OSError:  # Linux says so when the other side is closed
            break
        if not some:
            break
        printed += some
    os.close(ours)
    if process.wait(60):
        sys.exit(f"mosaic-telemetry {' '.join(words)} failed: {printed.decode()}")
    return printed.decode().replace("\r\n", "\n")


def _without_foreign_fonts(picture: str) -> str:
    """The picture in the reader's own fixed font: rich names one of another host."""
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
    return picture.replace("Fira Code, monospace", "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace")


def main(words: Sequence[str]) -> None:
    """Take what is asked for."""
    parser = argparse.ArgumentParser(prog="screenshots", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("pages", "commands"), help="not the others")
    parser.add_argument("--into", type=Path, default=IMAGES, metavar="FOLDER", help="where to write them, instead of docs/images")
    asked = parser.parse_args(words)
    asked.into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pictures-") as folder:
        home = Path(folder)
        lay_out(_RECORDINGS, home, datetime.now(UTC))
        env = {"HOME": folder, "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "AIDER_CHAT_HISTORY_FILE": str(home / ".aider")}
        database = home / ".local" / "share" / "mosaic-telemetry" / "telemetry.db"
        picture_data.fill(database, datetime.now(UTC))
        pictures: list[tuple[str, Iterator[tuple[str, bytes]]]] = []
        if asked.only != "pages":
            pictures.append(("svg", take_commands(home, env)))
        if asked.only != "commands":
            pictures.append(("png", take_pages(database, env)))
        for kind, taken in pictures:
            for name, data in taken:
                path = asked.into / f"{'command-' if kind == 'svg' else ''}{name}.{kind}"
                path.write_bytes(data)
                print(f"{path.name}  {len(data):,} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
