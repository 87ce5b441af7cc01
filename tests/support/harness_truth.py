"""What a model API said, beside what was collected of the harness that heard it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from support.harnesses import Harness, Job, Seen, jobs_for, work
from support.model_api import ModelApi, Reply

__all__ = ["check", "compare"]


def compare(harness: Harness, program: Path) -> Seen:
    """Let the harness work, collect, and fail where that differs from what the model API said; a single token would be noticed."""
    jobs = jobs_for(harness)
    with ModelApi(harness.dialect, [reply for job in jobs for reply in job.replies]) as api:
        seen = work(harness, program, api, jobs)
    check(harness, jobs, api.said, seen)
    for place, reply in enumerate(api.said):
        for name in harness.classes:
            more = replace(reply, used=replace(reply.used, **{name: getattr(reply.used, name) + 1}))
            with pytest.raises(AssertionError):
                check(harness, jobs, [*api.said[:place], more, *api.said[place + 1 :]], seen)
    return seen


def check(harness: Harness, jobs: Sequence[Job], said: Sequence[Reply], seen: Seen) -> None:
    """Fail where an event or the audit differs from the truth: by tokens, class by class and call by call, by gates, outcome or size."""
    done = list(jobs[:-1] if harness.open_end else jobs)
    rest = list(said)
    answers = [[rest.pop(0) for reply in job.replies if reply.status == 200] for job in jobs]
    assert not rest
    for before, later in pairwise(seen.after):
        assert later[: len(before)] == before  # whatever came later, resumed or forked
    events = seen.after[-1]
    assert [_sent(event) for event in events] == [
        (sum(reply.used.read for reply in replies), sum(reply.used.written for reply in replies)) for _, replies in zip(done, answers, strict=False)
    ]
    for job, event in zip(done, events, strict=True):
        wanted = {**harness.event, **job.event}
        assert {name: event[name] for name in wanted} == wanted, job.prompt
    found = [sorted((call["subagent"], *_call(call)) for call in task["calls"]) for task in seen.audit["audit"]]
    assert found == [sorted((reply.subagent, *_truth(harness, reply)) for reply in replies) for _, replies in zip(done, answers, strict=False)]
    assert all(task["reliable"] for task in seen.audit["audit"])
    assert seen.audit["calls_outside"] == []
    sessions = seen.audit["sessions"].values()
    assert sum(session["calls"] for session in sessions) == len(said)
    assert _sum(map(_call, sessions)) == _sum(_truth(harness, reply) for reply in said)


def _sent(event: dict[str, int]) -> tuple[int, int]:
    return event["actual_input_tokens"], event["actual_output_tokens"]


def _call(call: dict[str, int]) -> tuple[int, ...]:
    names = ("uncached_input_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens", "output_tokens")
    return tuple(call[name] for name in names)


def _sum(tokens: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(map(sum, zip(*tokens, strict=True)))


def _truth(harness: Harness, reply: Reply) -> tuple[int, ...]:
    used = reply.used
    hour = 0 if "cache_write_1h" in harness.unsaid else used.cache_write_1h
    return used.input, used.cache_read, used.cache_write_5m + used.cache_write_1h, hour, used.written
