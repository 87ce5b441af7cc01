"""`python -m mosaic_telemetry` is the `mosaic-telemetry` command."""

from mosaic_telemetry.cli import main

if __name__ == "__main__":
    main()
