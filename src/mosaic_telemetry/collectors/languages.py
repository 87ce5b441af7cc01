"""The programming language of a file, by its name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

__all__ = ["is_code", "kind_of_file", "language_of", "main_language", "names_in"]

_LANGUAGES = {
    "c": "c",
    "cc": "c++",
    "clj": "clojure",
    "cpp": "c++",
    "cs": "c#",
    "css": "css",
    "cu": "cuda",
    "cxx": "c++",
    "dart": "dart",
    "ex": "elixir",
    "exs": "elixir",
    "erl": "erlang",
    "fs": "f#",
    "go": "go",
    "h": "c",
    "hpp": "c++",
    "hs": "haskell",
    "html": "html",
    "java": "java",
    "jl": "julia",
    "js": "javascript",
    "jsx": "javascript",
    "kt": "kotlin",
    "kts": "kotlin",
    "lua": "lua",
    "m": "objective-c",
    "mjs": "javascript",
    "cjs": "javascript",
    "ml": "ocaml",
    "mts": "typescript",
    "nim": "nim",
    "php": "php",
    "pl": "perl",
    "ps1": "powershell",
    "py": "python",
    "pyi": "python",
    "r": "r",
    "rb": "ruby",
    "rs": "rust",
    "sass": "css",
    "scala": "scala",
    "scss": "css",
    "sh": "shell",
    "bash": "shell",
    "zsh": "shell",
    "sol": "solidity",
    "sql": "sql",
    "svelte": "svelte",
    "swift": "swift",
    "tf": "terraform",
    "ts": "typescript",
    "tsx": "typescript",
    "vue": "vue",
    "zig": "zig",
}
_DOCUMENTS = frozenset({"adoc", "md", "mdx", "rst", "tex", "txt"})
_SETTINGS = frozenset({"cfg", "conf", "env", "ini", "json", "jsonc", "lock", "properties", "tf", "toml", "yaml", "yml"})
_SETTINGS_NAMES = frozenset({"dockerfile", "makefile", "justfile", "procfile", ".gitignore", ".dockerignore", ".editorconfig", ".env"})
_TEST = re.compile(
    r"(?:^|[/\\])(?:tests?|__tests__|specs?|e2e)[/\\]|(?:^|[/\\])(?:test_[^/\\]*|conftest\.py|[^/\\]*(?:_test|_spec|\.test|\.spec|Tests?)\.\w+)$"
)
_WORD = re.compile(r"[\w@%+=:,./~-]+")


def language_of(path: str) -> str | None:
    """The language of a file by its extension, in lower case; None where it is none."""
    return _LANGUAGES.get(_extension(path))


def is_code(path: str) -> bool:
    """Whether the file holds a program."""
    return language_of(path) is not None


def kind_of_file(path: str) -> str:
    """`test`, `document`, `settings`, `code` or `other`."""
    if _TEST.search(path) and is_code(path):
        return "test"
    extension = _extension(path)
    name = re.split(r"[/\\]", path)[-1].lower()
    if extension in _SETTINGS or name in _SETTINGS_NAMES or name.startswith(("dockerfile.", ".env.")):
        return "settings"
    if extension in _DOCUMENTS:
        return "document"
    return "code" if is_code(path) else "other"


def main_language(*groups: Iterable[str]) -> str | None:
    """The language of most files in the first group that has any; of two equally frequent ones, the first by name."""
    for paths in groups:
        counts = Counter(language for path in paths if (language := language_of(path)))
        if counts:
            return min(counts, key=lambda language: (-counts[language], language))
    return None


def names_in(command: str) -> list[str]:
    """The words of a shell command that look like files of code."""
    return [word for word in _WORD.findall(command[:10_000]) if is_code(word) and not word.startswith(".")]


def _extension(path: str) -> str:
    name = re.split(r"[/\\]", path)[-1]
    return name.rpartition(".")[2].lower() if "." in name else ""
