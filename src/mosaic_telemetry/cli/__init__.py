"""The terminal face: `mosaic-telemetry COMMAND`.

The script exists also where only the SDK is installed; it then says what to install instead of a traceback.
"""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Entry point of the `mosaic-telemetry` command; exits with 0, 1 for an error, 2 for wrong usage, 130 on Ctrl-C."""
    if sys.argv[1:] == ["hook", "claude-code"]:  # an agent waits for it: no time for what the command line imports
        from mosaic_telemetry.cli.hook_start import main as hook

        sys.exit(hook())
    if sys.argv[1:] in (["statusline"], ["statusline", "--json"]):
        try:
            from mosaic_telemetry.cli.statusline_start import main as statusline

            sys.exit(statusline(as_json="--json" in sys.argv))
        except KeyboardInterrupt:
            sys.exit(130)
    try:
        from mosaic_telemetry.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in {"click", "rich"}:
            raise
        sys.exit("mosaic-telemetry: the command line is an extra: pip install 'mosaic-telemetry[cli]'")
    app(prog_name="mosaic-telemetry")
