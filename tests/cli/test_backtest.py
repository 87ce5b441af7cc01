"""`backtest`, as a user runs it."""

import csv
import gzip
import json
import math
import os
import random
import subprocess

import pytest
from support.server import COMMAND

COST, DURATION = "actual_cost_usd_micros", "task_duration_ms"


def run(*words):
    return subprocess.run([*COMMAND, "backtest", "--ages", "1", *map(str, words)], env=os.environ, capture_output=True, text=True, timeout=100, check=False)


def rows(count=300, seed=1, **changes):
    draw = random.Random(seed)
    return [
        {
            "task_type": draw.choice(["testing", "debugging"]),
            "model": f"model-{(model := draw.randrange(4))}",
            "provider": "openai",
            "complexity": "low",
            COST: round(math.exp(11 + model / 2 + draw.gauss(0, 0.7))),
            "group": f"task-{draw.randrange(60)}",
            "timestamp": f"2026-01-{1 + number * 27 // count:02}T10:00:00Z",
            **changes,
        }
        for number in range(count)
    ]


def write_csv(path, table):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, table[0])
        writer.writeheader()
        writer.writerows(table)
    return path


def write_lines(path, table):
    data = "".join(json.dumps(row) + "\n" for row in table).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def figures(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_csv_and_zipped_json_lines_give_the_same_figures(tmp_path):
    plain = figures(run("--json", write_csv(tmp_path / "table.csv", rows())))
    zipped = figures(run("--json", write_lines(tmp_path / "table.jsonl.gz", rows())))
    assert plain == zipped
    (found,) = plain["data_sets"]
    assert (found["name"], found["rows"], found["bad_rows"]) == ("table", 300, 0)
    assert list(found["targets"]) == [COST]
    views = found["targets"][COST]["views"]
    assert views["now"]["pooled"]["forecasts"] == 300
    assert 0.7 <= views["all"]["pooled"]["coverage"] <= 0.9
    assert set(views["all"]) == {"pooled", "default", "grown", "hard", "ladder", "cell", "global"}


def test_the_page_for_a_person_names_every_baseline_and_says_what_the_columns_mean(tmp_path):
    done = run(write_csv(tmp_path / "mine.csv", rows(200)))
    assert done.returncode == 0, done.stderr
    assert "mine: cost, 200 tasks judged" in done.stdout
    for word in ("ladder", "cell", "global", "within", "n 1-4", "all known", "80 is promised"):
        assert word in done.stdout
    assert done.stderr == ""


def test_bad_rows_are_counted_and_named_and_their_neighbours_judged(tmp_path):
    path = write_lines(tmp_path / "t.jsonl", rows(98) + rows(2, group=["a", 1]))
    wrong = [{"complexity": "huge"}, {COST: -5}, {COST: None}, {"timestamp": "soon"}, {"model": ""}, {COST: True}, {COST: 10**400}, {COST: [1]}]
    path.write_text(path.read_text() + "not json\n[1]\n" + "".join(json.dumps(rows(1)[0] | change) + "\n" for change in wrong))
    done = run("--json", path)
    assert figures(done)["data_sets"][0] | {"targets": None} == {"name": "t", "rows": 100, "bad_rows": 10, "targets": None}
    for words in ("10 rows left out", "line 101: not JSON", "line 102: not a JSON object", "line 103: complexity", "line 104: actual_cost_usd_micros: -5"):
        assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_one_table_is_judged_by_others(tmp_path):
    known = [write_csv(tmp_path / f"known{seed}.csv", rows(150, seed, group="")) for seed in (1, 2)]
    dear = [row | {COST: row[COST] * 1000} for row in rows(80, 3, group="")]
    judged = [write_csv(tmp_path / "same.csv", rows(80, 4, group="")), write_csv(tmp_path / "dear.csv", dear)]
    answer = figures(run("--json", *(word for path in known for word in ("--train", path)), *(word for path in judged for word in ("--test", path))))
    same, other = (found["targets"][COST]["views"]["now"]["pooled"] for found in answer["data_sets"])
    assert [found["name"] for found in answer["data_sets"]] == ["same", "dear"]
    assert same["forecasts"] == other["forecasts"] == 80
    assert same["coverage"] > 0.6
    assert other["coverage"] == 0


def test_parts_of_the_time_are_judged_by_what_came_before(tmp_path):
    path = write_csv(tmp_path / "t.csv", rows(200))
    found = figures(run("--json", "--by", "time", path))["data_sets"][0]["targets"][COST]
    assert found["tasks"] == 160


def test_any_target_may_be_missing_and_a_cost_of_0_is_unknown(tmp_path):
    table = [row | {COST: 0 if number % 2 else row[COST], DURATION: 1000 + number if number < 60 else None} for number, row in enumerate(rows(200))]
    found = figures(run("--json", write_lines(tmp_path / "t.jsonl", table)))["data_sets"][0]
    assert {target: verdict["tasks"] for target, verdict in found["targets"].items()} == {COST: 100, DURATION: 60}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name a table"),
        (["--train", "good.csv"], "go together"),
        (["good.csv", "--train", "good.csv", "--test", "good.csv"], "not both"),
        (["absent.csv"], "does not exist"),
        (["empty.csv"], "it is empty"),
        (["few.csv"], "too little"),
        (["other.csv"], "no usable row; line 2: task_type"),
        (["broken.gz"], "cannot read"),
        (["one.csv"], "two groups"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(tmp_path, words, said):
    write_csv(tmp_path / "good.csv", rows(30))
    write_csv(tmp_path / "few.csv", rows(4))
    write_csv(tmp_path / "one.csv", rows(30, group="one"))
    write_csv(tmp_path / "other.csv", [{"a": 1, "b": 2}])
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "broken.gz").write_bytes(gzip.compress(b"x" * 1000)[:-4])
    done = run(*(str(tmp_path / word) if "." in word else word for word in words))
    assert done.returncode in {1, 2}
    assert said in done.stderr
    assert done.stderr.splitlines()[-1].startswith("Error: ")
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
