"""How long does Claude Code wait for the hook, and what does the hook cost?

A session grows by one task before each call, as it does in real work; the hook is the installed command. It is called when the process
that it started before is done, and a second time while that works, as when a subagent and the agent end one after the other. Beside it,
in the same rounds, a Python that does nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from support.tables import quantile, table

DEMO = Path(__file__).resolve().parents[1] / "src" / "mosaic_telemetry" / "cli" / "demo_data" / "claude-code-2.1.197" / "projects"
_GAP_S = 0.6  # the process that the hook starts takes half a second


def grow(session: Path, number: int) -> None:
    """Add a prompt and its answer to a session."""
    common = {"sessionId": session.stem, "version": "2.1.197", "cwd": "/tmp", "isSidechain": False}
    moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    usage = {"input_tokens": 10, "output_tokens": 20 + number, "cache_read_input_tokens": 30_000, "cache_creation_input_tokens": 500}
    answer = {"id": f"msg_bench{number}", "model": "claude-sonnet-4-5", "role": "assistant", "stop_reason": "end_turn", "usage": usage, "content": []}
    records = [
        {**common, "type": "user", "uuid": f"bench-u{number}", "promptId": f"bench-{number}", "timestamp": moment, "message": {"content": "Fix it"}},
        {**common, "type": "assistant", "uuid": f"bench-a{number}", "parentUuid": f"bench-u{number}", "timestamp": moment, "message": answer},
    ]
    with session.open("a", encoding="utf-8") as file:
        file.writelines(f"{json.dumps(record)}\n" for record in records)


def timed(words: Sequence[str], text: bytes, env: Mapping[str, str]) -> tuple[float, float]:
    """Milliseconds until a program has ended, and those of processor time (user and system) that it took itself."""
    begun = time.perf_counter()
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(text)
    process.stdin.close()
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    took = (time.perf_counter() - begun) * 1000
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    if process.returncode or said:
        raise SystemExit(f"{words[0]}: exit code {process.returncode}, {said!r} on standard output")
    return took, (used.ru_utime + used.ru_stime) * 1000


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=200, help="calls of each kind")
    calls = parser.parse_args().calls
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        shutil.copytree(DEMO, home / "projects")
        session = max((home / "projects").rglob("*.jsonl"), key=lambda path: path.stat().st_size)
        env = {"PATH": os.environ["PATH"], "HOME": folder}
        payload = json.dumps({"session_id": session.stem, "transcript_path": str(session), "cwd": "/tmp", "hook_event_name": "Stop"}).encode()
        hook = [str(Path(sys.executable).with_name("mosaic-telemetry")), "hook", "claude-code"]
        found: dict[str, list[tuple[float, float]]] = {"the hook": [], "the hook, while the one before works": [], "`python -c pass`": []}
        for number in range(calls + 1):
            grow(session, number)
            first = timed(hook, payload, env)
            grow(session, calls + 1 + number)
            second = timed(hook, payload, env)
            time.sleep(2 * _GAP_S)
            nothing = timed([sys.executable, "-c", "pass"], b"", env)
            if number:  # the first call fills the system's caches
                found["the hook"].append(first)
                found["the hook, while the one before works"].append(second)
                found["`python -c pass`"].append(nothing)
    rows = []
    for name, times in found.items():
        wall, used = (sorted(column) for column in zip(*times, strict=True))
        rows.append([name, *(f"{quantile(values, share):.0f}" for values in (wall, used) for share in (0.5, 0.99)), f"{wall[-1]:.0f}"])
    print(table(["", "ms p50", "p99", "processor ms p50", "p99", "ms, longest"], rows))
    print(f"\n{calls} calls of each; load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores, Python {sys.version.split()[0]}")


if __name__ == "__main__":
    main()
