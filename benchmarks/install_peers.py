"""Install the measured clients, and this project without extras, into `.venvs/peers`.

The clients are installed once and again when `peers/requirements.txt` changes; the project is installed anew each time, as a
user gets it: a wheel, not a link to the sources.
"""

from __future__ import annotations

import subprocess
import sys

from support.environment import BENCHMARKS, PYTHON, ROOT, VENV


def main() -> None:
    requirements = BENCHMARKS / "peers" / "requirements.txt"
    stamp = VENV / ".installed"
    wanted = f"{sys.version}\n{requirements.read_text(encoding='utf-8')}"
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
        subprocess.run([*pip, "--requirement", str(requirements)], check=True)
        stamp.write_text(wanted, encoding="utf-8")
    subprocess.run([*pip, "--no-deps", "--force-reinstall", str(ROOT)], check=True)


if __name__ == "__main__":
    main()
