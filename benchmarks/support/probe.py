"""Measures one import in this fresh interpreter: milliseconds, growth of resident memory in bytes. Argument: the statement."""

import sys
import time


def resident() -> int:
    """Bytes of this process in memory."""
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - pathlib would be part of what is measured
        return int(file.read().split()[1]) * 4096


statement = compile(sys.argv[1], "statement", "exec")
before, begin = resident(), time.perf_counter()
exec(statement, {})
print((time.perf_counter() - begin) * 1000, resident() - before, len(sys.modules))
