"""Install what the plain implementation needs into `.venvs/plain`, an environment of its own."""

from __future__ import annotations

import subprocess
import sys

from support.environment import BENCHMARKS, ROOT

VENV = ROOT / ".venvs" / "plain"


def main() -> None:
    requirements = BENCHMARKS / "plain" / "requirements.txt"
    stamp = VENV / ".installed"
    wanted = f"{sys.version}\n{requirements.read_text(encoding='utf-8')}"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "--requirement", str(requirements)], check=True)
    stamp.write_text(wanted, encoding="utf-8")


if __name__ == "__main__":
    main()
