"""Prints, as JSON, what distributions weigh: versions, runtime dependencies, bytes of their files. Runs among the measured clients."""

from __future__ import annotations

import json
import re
import sys
from importlib import metadata
from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9._-]+")


def needed(name: str, seen: dict[str, metadata.Distribution]) -> None:
    """Add a distribution and all that it needs to `seen`, without extras."""
    key = re.sub(r"[-_.]+", "-", name).lower()
    if key in seen:
        return
    try:
        seen[key] = metadata.distribution(name)
    except metadata.PackageNotFoundError:  # for another system or version of Python
        return
    for requirement in seen[key].requires or []:
        match = _NAME.match(requirement)
        if match and "extra ==" not in requirement:
            needed(match.group(), seen)


def size(distribution: metadata.Distribution, only: tuple[str, ...] = ()) -> int:
    """Bytes of its files as downloaded, without compiled ones; of those alone that `only` matches."""
    total = 0
    for file in distribution.files or []:
        path = Path(str(distribution.locate_file(file)))
        name = file.as_posix()
        if path.suffix != ".pyc" and path.is_file() and (not only or any(re.fullmatch(pattern, name) for pattern in only)):
            total += path.stat().st_size
    return total


def main() -> None:
    """Weigh what the arguments name, each a comma-separated list of distributions."""
    answer = {}
    for names in sys.argv[1:]:
        seen: dict[str, metadata.Distribution] = {}
        own = names.split(",")
        for name in own:
            needed(name, seen)
        answer[names] = {
            "version": metadata.version(own[0]),
            "dependencies": len(seen) - len(own),
            "own": sum(size(metadata.distribution(name)) for name in own),
            "all": sum(size(distribution) for distribution in seen.values()),
        }
    sdk = (r"mosaic_telemetry/[^/]*", r"mosaic_telemetry/(schema|client)/.*")
    answer["sdk"] = {"own": size(metadata.distribution("mosaic-telemetry"), sdk)}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
