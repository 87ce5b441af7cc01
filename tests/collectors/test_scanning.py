"""Scans one after the other find together what one scan of everything finds, and report nothing twice."""

import random
import shutil
from datetime import UTC, datetime

import pytest
from support.recordings import DEMO_DATA, NOW, collector_named
from support.transcripts import CLAUDE_CODE, INSTANCE, LATER, START, Heard, Transcript, test_data, tool

from mosaic_telemetry.collectors import COLLECTORS, Choice, ScanState, UnitReader, event_id, parse_since, plan_scan, to_event
from mosaic_telemetry.collectors.choosing import is_in

FOLDERS = {
    "claude-code": "claude-code-2.1.197/projects",
    "codex": "codex-0.169.0/sessions",
    "gemini": "gemini-cli-0.61.0/tmp",
    "pi": "pi-0.73.1/sessions",
    "aider": "aider-0.86.2",
    "cline": "cline-2.18.0-classic/tasks",
    "opencode": "opencode-1.0.185-json/storage",
    "kilo": "kilo-cli-7.8.1",
}


class Listening(Heard):
    """A watcher that is told what to expect as well."""

    def expect(self, size):
        pass


class Scanner:
    """Scans as the command does: what is new is delivered, and noted."""

    def __init__(self, path, collector, **choice):
        self.state = ScanState(path / "state.db")
        self.collector = collector
        self.choice = Choice(**choice)
        self.reported = []

    def scan(self, *places, now_ms=LATER, choice=None):
        """The files read; what was reported is in `reported`."""
        files = [file for place in places for file in self.collector.find(place)]
        plan = plan_scan(self.collector, files, choice or self.choice, now_ms=now_ms, state=self.state)
        scan = plan.run(UnitReader(Listening(), 1), now_ms)
        ids = [event_id(task) for task in scan.chosen]
        known = self.state.reported(ids)
        new = [one for one in ids if one not in known]
        scan.settle(self.state, new)
        self.reported += new
        return scan.read


def all_ids(collector, *places, now_ms=LATER):
    files = [file for place in places for file in collector.find(place)]
    return sorted(event_id(task) for task in collector.collect(files, now_ms=now_ms, watcher=Heard()).tasks)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_second_scan_reads_nothing_and_one_of_a_changed_file_no_more_than_its_family(tmp_path, name):
    collector = collector_named(name)
    place = tmp_path / "logs"
    shutil.copytree(DEMO_DATA / FOLDERS[name], place)
    scanner = Scanner(tmp_path, collector)
    files = list(collector.find(place))
    assert scanner.scan(place, now_ms=NOW) == len(files)
    assert sorted(scanner.reported) == all_ids(collector, place, now_ms=NOW)
    assert len(scanner.reported) == 3
    assert scanner.scan(place, now_ms=NOW + 1) == 0
    unit = next(unit for unit in collector.units(files))
    with unit[0].open("ab") as file:
        file.write(b"\n")
    assert scanner.scan(place, now_ms=NOW + 2) == len(unit)
    assert len(scanner.reported) == 3


@pytest.mark.parametrize("name", [name for name in FOLDERS if name not in {"kilo", "opencode", "cline"}])
def test_a_tree_that_grows_between_scans_is_reported_once_and_as_a_whole(tmp_path, name):
    collector = collector_named(name)
    source, place = DEMO_DATA / FOLDERS[name], tmp_path / "logs"
    rng = random.Random(name)
    whole = {path.relative_to(source): path.read_bytes() for path in sorted(source.rglob("*")) if path.is_file()}
    scanner = Scanner(tmp_path, collector)
    for share in (0.2, 0.5, 0.7, 0.9, 1.0):
        for path, data in whole.items():
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            upto = len(data) if share == 1.0 else rng.randrange(int(len(data) * share) + 1)
            (place / path).write_bytes(data[:upto])
        # While it grows nothing has been quiet for an hour; at the end all has been.
        scanner.scan(place, now_ms=NOW if share == 1.0 else 0)
    assert sorted(scanner.reported) == all_ids(collector, place, now_ms=NOW)


def test_a_task_that_nobody_closed_is_reported_an_hour_later_though_nothing_was_written(tmp_path):
    log = Transcript()
    log.prompt(0)
    log.bash(1, "pytest")
    log.write(tmp_path / "p" / "a.jsonl")
    other = Transcript(seed=2)
    other.prompt(0)
    other.answer(1, "m")
    other.write(tmp_path / "p" / "b.jsonl")
    scanner = Scanner(tmp_path, CLAUDE_CODE)
    assert scanner.scan(tmp_path / "p", now_ms=START + 60_000) == 2
    assert len(scanner.reported) == 1
    assert scanner.scan(tmp_path / "p", now_ms=START + 120_000) == 0
    assert scanner.scan(tmp_path / "p", now_ms=START + 3_700_000) == 1
    assert scanner.scan(tmp_path / "p", now_ms=START + 3_800_000) == 0
    assert len(scanner.reported) == 2


def grown(rng, logs):
    """One more step in the life of a machine: a prompt, an answer, a subagent, a fork, a copy, a resumed session, a deletion."""
    what = rng.randrange(8)
    log = rng.choice(logs)
    at = 10 * (sum(len(one.records) for one in logs) + 1)
    if what == 0 or len(logs) < 2:
        log = Transcript(seed=len(logs) + 1)
        logs.append(log)
        log.prompt(at, "Fix it")
    elif what == 1:
        fork = Transcript(session=f"fork-{len(logs)}", seed=100 + len(logs))
        upto = rng.randrange(1, len(log.records) + 1)
        fork.records = [{**record, "sessionId": fork.session} for record in log.records[:upto]]
        fork._parent = fork.records[-1]["uuid"]
        fork.prompt(at, "Another way")
        logs.append(fork)
    elif what == 2:
        log.prompt(at, "Go on")
    elif what == 3:
        use = f"t{at}"
        log.answer(at, f"m{at}", tools=[tool("Task", use, prompt="look")])
        agent = Transcript(session=log.session, seed=500 + len(logs), agent=f"a{at}")
        agent.prompt(at + 1, "look")
        agent.answer(at + 2, f"s{at}")
        logs.append(agent)
        log.result(at + 3, use, result={"agentId": f"a{at}", "status": "completed"})
    elif what == 4:
        log.bash(at, "pytest -q", "1 passed in 0.1s")
    else:
        log.answer(at, f"m{at}")


def written(folder, logs, names):
    for number, log in enumerate(logs):
        name = names.setdefault(number, f"agent-{log.agent}.jsonl" if log.agent else f"{log.session}.jsonl")
        path = folder / name
        text = "".join(line + "\n" for line in log.lines)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens_between_scans_nothing_is_missed_and_nothing_reported_twice(tmp_path, seed):
    rng = random.Random(seed)
    folder = tmp_path / "p"
    folder.mkdir()
    logs, names = [Transcript(seed=1)], {}
    logs[0].prompt(0, "Begin")
    scanner = Scanner(tmp_path, CLAUDE_CODE)
    for step in range(40):
        grown(rng, logs)
        written(folder, logs, names)
        if rng.random() < 0.1:
            shutil.copy(rng.choice(sorted(folder.iterdir())), folder / f"copy-{step}.jsonl")
        if rng.random() < 0.4:
            scanner.scan(folder, now_ms=START)
            assert len(scanner.reported) == len(set(scanner.reported))
    scanner.scan(folder)
    assert scanner.scan(folder, now_ms=LATER + 1) == 0
    assert len(scanner.reported) == len(set(scanner.reported))
    assert sorted(scanner.reported) == all_ids(CLAUDE_CODE, folder)


def test_a_fork_of_a_session_that_was_reported_and_is_gone_reports_only_what_is_new(tmp_path):
    log = Transcript()
    log.prompt(0)
    log.answer(1, "m1")
    path = log.write(tmp_path / "p" / "a.jsonl")
    scanner = Scanner(tmp_path, CLAUDE_CODE)
    scanner.scan(tmp_path / "p")
    path.unlink()
    fork = Transcript(session="fork", seed=9)
    fork.records = [{**record, "sessionId": "fork"} for record in log.records]
    fork.prompt(50, "More")
    fork.answer(51, "m2")
    fork.write(tmp_path / "p" / "fork.jsonl")
    scanner.scan(tmp_path / "p")
    assert len(scanner.reported) == len(set(scanner.reported)) == 2
    assert str(path) not in scanner.state.marks("claude-code")


def test_what_one_choice_left_out_is_found_by_a_wider_one_and_by_no_narrower(tmp_path):
    for number, (version, cwd) in enumerate([("2.1.197", "/w/one"), ("2.1.30", "/w/one"), ("2.1.197", "/w/two/sub")]):
        log = Transcript(seed=number + 1, version=version)
        log.prompt(0, cwd=cwd)
        log.answer(1, f"m{number}")
        log.write(tmp_path / "p" / f"{number}.jsonl")
    scanner = Scanner(tmp_path, CLAUDE_CODE)
    steps = [
        (Choice(project="two"), 1),
        (Choice(project="two", since_ms=START), 1),
        (Choice(), 2),
        (Choice(project="one"), 2),
        (Choice(unreliable=True), 3),
        (Choice(unreliable=True, project="/w/one"), 3),
    ]
    for choice, count in steps:
        scanner.scan(tmp_path / "p", choice=choice)
        assert len(scanner.reported) == count
        assert scanner.scan(tmp_path / "p", choice=choice) == 0


@pytest.mark.parametrize(
    ("folder", "project", "expected"),
    [
        ("/w/app", "app", True),
        ("/w/app/sub", "app", True),
        ("/w/app/sub", "/w/app", True),
        ("/w/application", "/w/app", False),
        ("/w/application", "app", False),
        ("/w", "/w/app", False),
        ("", "app", False),
        ("fecbf0890c9048d7692824714b6b5a6570e23db77f270b84e1418e03e7c06274", "/w/app", False),
    ],
)
def test_a_project_is_a_folder_with_all_below_it_or_a_name_on_the_way(folder, project, expected):
    assert is_in(folder, project) is expected


def test_a_date_is_a_date_a_moment_or_a_time_ago():
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    hour = 3_600_000
    present = int(now.timestamp() * 1000)
    assert [parse_since(text, now) for text in ("12h", "7d", "2 W", "2026-11-23T10:00Z")] == [
        present - 12 * hour,
        present - 7 * 24 * hour,
        present - 14 * 24 * hour,
        present - 2 * hour,
    ]
    assert abs(parse_since("2026-11-23", now) - (present - 12 * hour)) <= 15 * hour
    for text in ("", "yesterday", "7x", "-3d", "2026-13-01"):
        with pytest.raises(ValueError, match=r".*"):
            parse_since(text, now)


def test_a_choice_survives_being_written_down():
    choice = Choice(since_ms=5, project="x", unreliable=True)
    assert Choice.decode(choice.encode()) == choice
    assert [Choice.decode(text) for text in ("", "[]", '{"x": 1}', '{"since_ms": "a"}', "null")] == [None] * 5


def test_every_collector_tells_folder_files_and_records_of_its_tasks():
    for name, folder in FOLDERS.items():
        collector = collector_named(name)
        files = list(collector.find(DEMO_DATA / folder))
        for task in collector.collect(files, now_ms=NOW, watcher=Heard()).tasks:
            assert task.folder or name in {"cline", "gemini"}  # they tell it in the instructions, which are cut from what ships
            assert task.files <= set(files)
            assert task.files
            assert all(call.record and call.file in set(files) for call in task.calls)
            assert task.evidence["task"].records
            assert "proj" not in str(to_event(task, INSTANCE).event)
    assert {collector.name for collector in COLLECTORS} == {*FOLDERS, "usage"}


@pytest.mark.parametrize(("name", "folder"), [("cline", "cline-2.18.0-classic"), ("gemini", "gemini-cli-0.61.0"), ("cline", "cline-cli-3.0.65")])
def test_the_folder_is_found_in_what_the_model_was_told(name, folder):
    collector = collector_named(name)
    tasks = collector.collect(collector.find(test_data("harness_runs", folder)), now_ms=NOW, watcher=Heard()).tasks
    assert {task.folder.rpartition("/")[0] for task in tasks} == {"/home/developer/workspace"}


def test_several_processes_find_what_one_finds(tmp_path):
    files = []
    for number in range(30):
        shutil.copytree(DEMO_DATA / FOLDERS["codex"], tmp_path / str(number))
        files += collector_named("codex").find(tmp_path / str(number))
    pad = tmp_path / "rollout-pad.jsonl"
    with pad.open("w") as file:
        for _ in range(50):
            file.write('{"type": "x", "payload": "' + "y" * 1_000_000 + '"}\n')
        file.write("{half")
    found = []
    for processes in (1, 2):
        reader = UnitReader(Listening(), processes)
        scan = plan_scan(collector_named("codex"), [*files, pad], Choice(), now_ms=NOW).run(reader, NOW)
        found.append(([to_event(task, INSTANCE).event for task in scan.chosen], scan.collection.skipped, scan.read))
    assert found[0] == found[1]
    assert len(found[0][0]) == 3
    assert found[0][1] == 1
