"""Runs one task with one client; started by `support.workers`, in the environment of the measured clients.

Arguments: the client's name in `peers`, the task as `module.function` in `tasks`, and its options as JSON.
"""

# The early hook below has to be registered before any client's, so as to run after it.
import atexit

late: list[object] = []


def _last() -> None:
    for call in late:
        call()  # type: ignore[operator]  # filled by tasks.deaths


atexit.register(_last)

import importlib  # noqa: E402 - see above
import json  # noqa: E402 - see above
import sys  # noqa: E402 - see above

import tasks  # noqa: E402 - see above


def main() -> None:
    _, client, task, options = sys.argv
    module, _, function = task.partition(".")
    tasks.at_last = late.append
    getattr(importlib.import_module(f"tasks.{module}"), function)(client, **json.loads(options))


if __name__ == "__main__":
    main()
