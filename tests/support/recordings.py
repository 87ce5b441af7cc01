"""The recordings of every harness that ship with the demo, what the API returned in them, and how they are collected."""

from dataclasses import dataclass
from pathlib import Path

from mosaic_telemetry.collectors import COLLECTORS, to_event
from mosaic_telemetry.schema import encode_event
from support.transcripts import INSTANCE, RECORDINGS, Heard

DEMO_DATA = Path(RECORDINGS).parent
NOW = 1_800_000_000_000  # long after all of them


@dataclass(frozen=True)
class Recording:
    """A folder of sessions of one version of a harness."""

    collector: str
    folder: str
    provider: str

    def __str__(self):
        return self.folder


CODEX_NEW = Recording("codex", "codex-0.169.0", "custom")
CODEX_OLD = Recording("codex", "codex-0.60.1", "custom")
GEMINI_NEW = Recording("gemini", "gemini-cli-0.61.0", "google")
GEMINI_OLD = Recording("gemini", "gemini-cli-0.20.0", "google")
PI = Recording("pi", "pi-0.73.1", "anthropic")
AIDER = Recording("aider", "aider-0.86.2", "openai")


def collector_named(name):
    return next(collector for collector in COLLECTORS if collector.name == name)


def collect_from(name, *places, now_ms=NOW, heard=None):
    """What a collector finds in places."""
    collector = collector_named(name)
    files = [file for place in places for file in collector.find(Path(place))]
    return collector.collect(files, now_ms=now_ms, watcher=heard or Heard())


def encoded(collection):
    """The events, byte for byte as they leave."""
    return [encode_event(to_event(task, INSTANCE).event) for task in collection.tasks]
