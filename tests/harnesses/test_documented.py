"""What the documents say of versions is what is driven."""

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
DOCUMENTS = HERE.parents[1] / "docs" / "collectors"


@pytest.mark.parametrize("module", ["claude_code", "codex", "gemini", "opencode"])
def test_the_pages_name_the_version_that_is_driven(module):
    pin = re.search(r'pin = Pin\("[^"]+", "([^"]+)"', (HERE / f"test_{module}.py").read_text())
    page = (DOCUMENTS / f"{module.replace('_', '-')}.md").read_text()
    assert re.search(rf"`make harnesses` drives the real [\w ]*{re.escape(pin[1])}", page)
    assert re.search(rf"\| [^|]+ \| [^|]*{re.escape(pin[1])} \| {re.escape(pin[1])}", (DOCUMENTS / "index.md").read_text())
