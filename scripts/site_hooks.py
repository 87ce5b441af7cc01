"""What the site does beyond its pages: it lists every page there is, and keeps links into the repository as plain text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<target>(?!https?://|#)[^)#\s]+)(?:#[^)]*)?\)")


def on_config(config: Any) -> Any:
    """Drop pages that are not there from the navigation, and add those that it does not name."""
    docs = Path(config.docs_dir)
    pages = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}
    named: set[str] = set()
    config.nav = _existing(config.nav, pages, named)
    rest = sorted(pages - named)
    for entry in config.nav:
        if isinstance(entry, dict) and "Collectors" in entry:
            entry["Collectors"] += [page for page in rest if page.startswith("collectors/")]
    if other := [page for page in rest if not page.startswith("collectors/")]:
        config.nav.append({"More": other})
    return config


def _existing(entries: list[Any], pages: set[str], named: set[str]) -> list[Any]:
    """The entries whose pages are there; `named` collects the pages."""
    kept = []
    for entry in entries:
        (title, target), *_ = entry.items() if isinstance(entry, dict) else [(None, entry)]
        if isinstance(target, list):
            kept.append({title: _existing(target, pages, named)})
        elif target in pages:
            named.add(target)
            kept.append(entry)
    return kept


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Show a link to a file outside the documents as its text: the site stands alone."""
    docs = Path(config.docs_dir).resolve()
    folder = (docs / page.file.src_uri).parent

    def rewritten(match: re.Match[str]) -> str:
        inside = (folder / match["target"]).resolve().is_relative_to(docs)
        return match[0] if inside else match["text"]

    return _LINK.sub(rewritten, markdown)
