"""Time and memory of collecting a gigabyte of sessions, beside ccusage on the same files in the same run.

The tree is made from the recordings that ship with the demo: copies with ids of their own, many to a file where the format allows it,
or from a folder of Claude Code sessions of your own (`--source FOLDER`). `--size` sets the megabytes of each harness.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from support.tables import table

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "src" / "mosaic_telemetry" / "cli" / "demo_data"
_IDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b(?:msg|toolu|req|resp|call|fc|rs|ses|prt)_[0-9A-Za-z]{8,}")
_PER_FILE = 2_000_000  # bytes of a Claude Code session: long ones are that long


def renamed(text: str, copy: int, kept: str = "") -> str:
    """The text with every id in it changed, the same one always to the same; but for `kept`."""

    def fresh(match: re.Match[str]) -> str:
        old = match.group()
        if old == kept:
            return old
        digest = hashlib.sha256(f"{old} {copy}".encode()).hexdigest()
        if "_" in old:
            return old.partition("_")[0] + "_" + digest[:24]
        return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"

    return _IDS.sub(fresh, text)


def claude_sources(source: Path | None) -> list[str]:
    """The texts of the sessions to multiply."""
    if source is None:
        return [path.read_text() for path in sorted((DEMO / "claude-code-2.1.197").rglob("*.jsonl")) if path.parent.name.startswith("-")]
    files = sorted(path for path in source.rglob("*") if path.name.endswith((".jsonl", ".jsonl.gz")))
    return [gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text() for path in files]


def make_claude(folder: Path, size: int, source: Path | None) -> None:
    """Sessions of Claude Code, one recording after the other in each file."""
    texts = claude_sources(source)
    copy = written = 0
    while written < size:
        session = hashlib.sha256(f"session {copy}".encode()).hexdigest()
        name = f"{session[:8]}-{session[8:12]}-{session[12:16]}-{session[16:20]}-{session[20:32]}"
        path = folder / "projects" / f"-home-user-p{copy % 40}" / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as file:
            while file.tell() < min(_PER_FILE, size - written + 1):
                text = renamed(texts[copy % len(texts)], copy)
                file.write(re.sub(r'"sessionId":\s*"[^"]*"', f'"sessionId":"{name}"', text))
                copy += 1
            written += file.tell()


def make_codex(folder: Path, size: int) -> None:
    """Rollouts of Codex; each holds the running totals of one thread, so a file is one recording."""
    texts = [path.read_text() for path in sorted((DEMO / "codex-0.169.0").rglob("rollout-*.jsonl"))]
    copy = written = 0
    while written < size:
        text = renamed(texts[copy % len(texts)], copy)
        name = _IDS.findall(text)[0]
        path = folder / "sessions" / "2026" / "11" / f"{copy % 28 + 1:02}" / f"rollout-2026-11-22T14-24-13-{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        written += len(text)
        copy += 1


def make_opencode(folder: Path, size: int) -> None:
    """One database of opencode with very many sessions."""
    folder.mkdir(parents=True)
    target = folder / "opencode.db"
    shutil.copy(DEMO / "opencode-1.18.33" / "opencode.db", target)
    with closing(sqlite3.connect(target)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")
        rows = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in ("session", "message", "part")}
        copy = 0
        while target.stat().st_size < size:
            for _ in range(200):
                copy += 1
                for name, found in rows.items():
                    marks = ", ".join("?" * len(found[0]))
                    values = [tuple(renamed(cell, copy) if isinstance(cell, str) else cell for cell in row) for row in found]
                    if name == "message":
                        values = [(*row[:2], row[2] + copy, row[3], moved(row[4], copy)) for row in values]
                    connection.executemany(f"INSERT OR IGNORE INTO {name} VALUES ({marks})", values)
            connection.commit()


def moved(data: str, by: int) -> str:
    """A message at another time: opencode's copies of one at the same time are one."""
    value = json.loads(data)
    value["time"] = {name: moment + by * 100_000 for name, moment in value["time"].items()}
    return json.dumps(value)


@dataclass(frozen=True)
class Measured:
    """A run: seconds, the most memory of the process and its children together in megabytes, and what it printed."""

    seconds: float
    megabytes: float
    output: str


def measure(words: Sequence[str], env: dict[str, str]) -> Measured:
    """Run a command; its memory is looked at thirty times a second, pages shared by several processes counted once."""
    begin = time.monotonic()
    with tempfile.TemporaryFile("w+") as output, subprocess.Popen(words, stdout=output, stderr=subprocess.DEVNULL, env=env) as process:
        peak = [0]
        done = threading.Event()

        def look() -> None:
            while not done.wait(0.03):
                peak[0] = max(peak[0], sum(map(resident, family(process.pid))))

        watcher = threading.Thread(target=look)
        watcher.start()
        status = process.wait()
        done.set()
        watcher.join()
        output.seek(0)
        text = output.read()
        if status:
            raise SystemExit(f"{' '.join(words)} ended with {status}: {text[-500:]}")
        return Measured(time.monotonic() - begin, peak[0] / 1024, text)


def family(pid: int) -> Iterator[int]:
    """A process and all below it."""
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in children:
        yield from family(int(child))


def resident(pid: int) -> int:
    """Kilobytes of a process in memory, its share of what it has in common with others."""
    try:
        found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found.group(1)) if found else 0


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", type=int, default=1000, help="megabytes of each harness")
    parser.add_argument("--source", type=Path, help="Claude Code sessions to multiply instead of the recordings that ship")
    parser.add_argument("--ccusage", default=shutil.which("ccusage"), help="the ccusage command (npm install ccusage)")
    parser.add_argument("--only", nargs="*", default=["claude-code", "codex", "opencode"])
    parser.add_argument("--keep", type=Path, help="where the trees are made, and left for the next time")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = given.keep or Path(temporary)
        rows = [row for name in given.only for row in of_harness(name, root, given)]
    print(table(["", "MB", "seconds", "MB/s", "MB of memory"], rows))


def of_harness(name: str, root: Path, given: argparse.Namespace) -> Iterator[list[str]]:
    """The rows of one harness."""
    folder = root / f"{name}-{given.size}{'-own' if given.source else ''}"
    if not folder.exists():
        make = {"claude-code": lambda: make_claude(folder, given.size * 10**6, given.source)}
        make |= {"codex": lambda: make_codex(folder, given.size * 10**6), "opencode": lambda: make_opencode(folder, given.size * 10**6)}
        make[name]()
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    home = root / "home"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "TZ": "UTC"}
    program = [sys.executable, "-m", "mosaic_telemetry", "collect", name, str(folder)]
    for path in folder.rglob("*"):
        if path.is_file():
            path.read_bytes()  # both read from memory
    for label, words in (("first scan", [*program, "--json"]), ("second scan", [*program, "--json"]), ("dry run", [*program, "--dry-run", "--json"])):
        run = measure(words, env)
        told = ""
        if label != "dry run":
            found = json.loads(run.output)
            told = f", {found['tasks']:,} tasks"
        yield [f"{name}: mosaic-telemetry, {label}{told}", f"{size:,.0f}", f"{run.seconds:.1f}", f"{size / run.seconds:,.0f}", f"{run.megabytes:,.0f}"]
    if given.ccusage and name == "claude-code":
        run = measure([given.ccusage, "daily", "--json", "--offline"], {**env, "CLAUDE_CONFIG_DIR": str(folder)})
        yield [f"{name}: ccusage", f"{size:,.0f}", f"{run.seconds:.1f}", f"{size / run.seconds:,.0f}", f"{run.megabytes:,.0f}"]


if __name__ == "__main__":
    main()
