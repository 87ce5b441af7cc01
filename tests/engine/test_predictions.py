from collections import Counter, defaultdict

import apsw
import numpy as np
import pytest

from mosaic_telemetry.engine import Engine, open_engine
from mosaic_telemetry.engine.known import KnownLadders
from mosaic_telemetry.engine.predict import predict
from mosaic_telemetry.engine.store.sqlite import SqliteStore
from mosaic_telemetry.forecast import ENOUGH, LADDER, RECENT, Cell, Tasks, same_model
from mosaic_telemetry.schema import PredictionQuery, TaskCompletionEvent, from_dict

EXACT = {"task_type": "debugging", "model": "gpt-5", "provider": "openai", "complexity": "high"}


TODAY = 20_500


def ask(house, **changes):
    house.engine.roll_up()
    return house.engine.predict([from_dict(PredictionQuery, EXACT | changes)])[0]


@pytest.mark.parametrize(
    ("level", "reported"),
    [
        (0, {}),
        (1, {"provider": "openrouter"}),
        (2, {"provider": "openrouter", "complexity": "low"}),
        (3, {"provider": "openrouter", "model": "other"}),
        (4, {"model": "other", "complexity": "low"}),
        (5, {"task_type": "testing", "model": "other"}),
    ],
)
def test_each_level_answers_from_five_events_on_and_not_before(house, level, reported):
    house.report(EXACT | reported, count=ENOUGH - 1)
    nothing = ask(house)
    assert nothing.prediction is None
    assert nothing.metadata.fallback_level == -1
    assert nothing.metadata.confidence == "none"
    assert nothing.metadata.sample_size == 0
    assert nothing.metadata.fallback_note
    house.report(EXACT | reported)
    answer = ask(house)
    assert answer.prediction is not None
    assert answer.metadata.fallback_level == level
    assert answer.metadata.sample_size == ENOUGH
    assert answer.metadata.confidence == "low"
    assert (answer.metadata.fallback_note is None) == (level == 0)
    assert {name for name, value in answer.metadata.dimensions_matched.items() if value is not None} == set(LADDER[level])


def test_the_most_specific_level_with_enough_answers(house):
    house.report(EXACT | {"provider": "openrouter", "task_duration_ms": 1000}, count=20)
    house.report(EXACT | {"task_duration_ms": 9000}, count=4)
    assert ask(house).metadata.fallback_level == 1
    house.report(EXACT | {"task_duration_ms": 9000})
    answer = ask(house)
    assert (answer.metadata.fallback_level, answer.metadata.sample_size) == (0, 5)


def test_few_exact_events_are_pooled_with_the_wider_cells_and_the_more_the_less(house):
    house.report(EXACT | {"provider": "openrouter", "task_duration_ms": 1000}, count=200)
    medians = []
    for more in (5, 15, 60, 20):
        house.report(EXACT | {"task_duration_ms": 9000}, count=more)
        answer = ask(house)
        assert answer.metadata.fallback_level == 0
        medians.append(answer.prediction.duration_ms["median"])
    assert 1000 < medians[0] < medians[1] < medians[2]
    assert answer.metadata.sample_size == 100
    assert medians[3] == pytest.approx(9000, rel=0.01)
    assert answer.prediction.duration_ms["p10"] == pytest.approx(9000, rel=0.01)


def test_a_few_events_of_exactly_this_kind_count_although_a_wider_level_answers(house):
    house.report(EXACT | {"provider": "openrouter", "task_duration_ms": 1000}, count=50)
    before = ask(house).prediction.duration_ms["median"]
    house.report(EXACT | {"task_duration_ms": 9000}, count=3)
    answer = ask(house)
    assert (answer.metadata.fallback_level, answer.metadata.sample_size) == (1, 53)
    assert answer.prediction.duration_ms["median"] > before * 1.2


def test_without_own_events_a_wider_level_with_a_hundred_answers_as_it_is(house):
    rng = np.random.default_rng(8)
    durations = rng.lognormal(11, 1, 120).astype(int)
    house.report(*(EXACT | {"provider": "openrouter", "task_duration_ms": int(value)} for value in durations))
    house.report(EXACT | {"model": "other", "task_duration_ms": 5}, count=300)
    answer = ask(house)
    assert (answer.metadata.fallback_level, answer.metadata.sample_size) == (1, 120)
    assert list(answer.prediction.duration_ms.values()) == pytest.approx(np.percentile(durations, [10, 25, 50, 75, 90]), rel=0.02)


class CountingStore:
    """A store that counts how often each cell is read."""

    def __init__(self, store):
        self._store, self.reads = store, Counter()

    def find_cells(self, keys):
        keys = list(keys)
        self.reads.update(keys)
        return self._store.find_cells(keys)


def test_a_batch_reads_each_cell_once_and_only_the_exact_one_where_it_is_enough(tmp_path, make_event):
    store = SqliteStore(tmp_path / "t.db")
    engine = Engine(store)
    instance = engine.local_instance()
    changes = [EXACT] * 100 + [EXACT | {"model": "thin"}] * 6
    engine.ingest(instance, [from_dict(TaskCompletionEvent, make_event(instance.instance_id, **change)) for change in changes])
    engine.roll_up()
    counting = CountingStore(store)
    queries = [from_dict(PredictionQuery, EXACT | change) for change in ({}, {"model": "thin"}, {"model": "absent"}, {"model": "thin"}, {})]
    answers = predict(queries, counting.find_cells, TODAY)
    assert max(counting.reads.values()) == 1
    assert [key.level for key in counting.reads if "gpt-5" in key.values] == [0, RECENT, RECENT]
    assert answers == [predict([query], store.find_cells, TODAY)[0] for query in queries]
    assert [answer.prediction for answer in answers] == [answer.prediction for answer in engine.predict(queries)]
    assert [answer.metadata.sample_size for answer in answers] == [100, 6, 106, 6, 100]
    engine.close()


def test_what_was_read_is_read_again_when_the_cells_have_changed_and_not_before(tmp_path, make_event):
    store = SqliteStore(tmp_path / "t.db")
    engine = Engine(store)
    instance = engine.local_instance()
    counting, ladders = CountingStore(store), KnownLadders()
    queries = [from_dict(PredictionQuery, EXACT | change) for change in ({}, {"model": "thin"}, {"model": "absent"}, {})]

    def asked(stamp):
        return predict(queries, counting.find_cells, TODAY, remembered=ladders.at(stamp))

    seen = []
    for count in (30, 100):
        engine.ingest(instance, [from_dict(TaskCompletionEvent, make_event(instance.instance_id, **EXACT)) for _ in range(count)])
        engine.roll_up()
        counting.reads.clear()
        stamp = store.state().version
        first = asked(stamp)
        reads = counting.reads.copy()
        assert max(reads.values()) == 1
        assert asked(stamp) == first == predict(queries, store.find_cells, TODAY)
        assert counting.reads == reads
        assert engine.predict(queries)[0].metadata.sample_size == first[0].metadata.sample_size
        seen.append(first[0].metadata.sample_size)
    assert seen == [30, 130]
    engine.close()


def test_ladders_of_one_stamp_never_take_those_that_another_thread_still_climbs():
    ladders = KnownLadders()
    old = ladders.at(1)
    new = ladders.at(2)
    assert new is not old
    assert ladders.at(2) is new
    assert ladders.at(1) is not old  # a thread that comes late works with its own
    assert ladders.at(2) is not new


@pytest.mark.parametrize(("count", "word"), [(29, "low"), (30, "medium"), (99, "medium"), (100, "high")])
def test_confidence_of_an_exact_answer(house, count, word):
    house.report(EXACT, count=count)
    assert ask(house).metadata.confidence == word


def test_models_are_compared_trimmed_and_in_lower_case(house):
    house.report({**EXACT, "model": " GPT-5"}, {**EXACT, "model": "gpt-5  "}, {**EXACT, "model": "gpt-5"}, {**EXACT, "model": "Gpt-5"}, EXACT)
    answer = ask(house, model="GPT-5 ")
    assert (answer.metadata.fallback_level, answer.metadata.sample_size) == (0, 5)
    assert answer.metadata.dimensions_matched["model"] == "GPT-5 "


def test_from_a_hundred_events_on_quantiles_lie_within_two_percent(house):
    rng = np.random.default_rng(7)
    columns = {
        "actual_input_tokens": rng.lognormal(11.5, 1.0, 150),
        "actual_output_tokens": rng.lognormal(8.5, 1.0, 150),
        "actual_cost_usd_micros": rng.lognormal(12.5, 1.2, 150),
        "task_duration_ms": rng.lognormal(11.0, 1.2, 150),
    }
    columns = {name: np.clip(column, 1000, 10_000_000).astype(int) for name, column in columns.items()}
    house.report(*(EXACT | {name: int(column[row]) for name, column in columns.items()} for row in range(150)))
    data = ask(house).prediction
    found = {
        "actual_input_tokens": {name: getattr(data.input_tokens, name) for name in ("p10", "p25", "median", "p75", "p90")},
        "actual_output_tokens": {name: getattr(data.output_tokens, name) for name in ("p10", "p25", "median", "p75", "p90")},
        "actual_cost_usd_micros": data.cost_usd_micros,
        "task_duration_ms": data.duration_ms,
    }
    for name, column in columns.items():
        exact = np.percentile(column, [10, 25, 50, 75, 90])
        assert list(found[name].values()) == pytest.approx(exact, rel=0.02), name


def test_an_unknown_cost_is_no_cost(house):
    house.report(EXACT | {"actual_cost_usd_micros": 0}, count=6)
    assert ask(house).prediction.cost_usd_micros == {}
    house.report(EXACT | {"actual_cost_usd_micros": 0, "provider": "ollama"}, count=6)
    assert ask(house, provider="ollama").prediction.cost_usd_micros["median"] == 0


def test_last_updated_is_the_receipt_of_the_newest_event(tmp_path, make_event):
    clock = [1_770_458_400.0]
    with open_engine(tmp_path / "t.db", now=lambda: clock[0]) as engine:
        instance = engine.local_instance()
        query = from_dict(PredictionQuery, EXACT)
        for moment, count, shown in ((0.25, 5, "10:00:00.250Z"), (3600, 1, "11:00:00.000Z"), (1800, 1, "11:00:00.000Z")):
            clock[0] = 1_770_458_400.0 + moment
            engine.ingest(instance, [from_dict(TaskCompletionEvent, make_event(instance.instance_id, **EXACT)) for _ in range(count)])
            engine.roll_up()
            assert engine.predict([query])[0].metadata.last_updated == f"2026-02-07T{shown}"


@pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)  # it looks into the file
def test_cells_are_what_a_recount_of_the_stored_events_gives(house):
    rng = np.random.default_rng(3)
    for _ in range(6):
        house.report(
            *(
                {
                    "task_type": str(rng.choice(["testing", "debugging"])),
                    "model": str(rng.choice(["gpt-5", " GPT-5", "sonnet"])),
                    "provider": str(rng.choice(["openai", "ollama"])),
                    "complexity": str(rng.choice(["low", "high"])),
                    "timestamp": f"2026-01-{rng.integers(10, 20)}T10:00:00Z",
                    "actual_cost_usd_micros": int(rng.integers(0, 3)),
                    "estimated_input_tokens": int(rng.integers(0, 3)),
                    "outcome": str(rng.choice(["success", "failure"])),
                    "quality_gate_passed": bool(rng.integers(0, 2)),
                }
                for _ in range(40)
            )
        )
    house.engine.roll_up()
    assert house.engine.verify() == []
    house.engine.close()
    assert stored_cells(house.path) == recount(house.path)


def stored_cells(path):
    connection = apsw.Connection(str(path))
    cells = {(level, dimensions): bytes(data) for level, dimensions, data in connection.execute("SELECT level, dimensions, data FROM cells")}
    connection.close()
    return cells


def recount(path):
    """One event at a time, and by other code than the roll-up's."""
    connection = apsw.Connection(str(path))
    texts = dict(connection.execute("SELECT number, text FROM texts"))
    landmark = connection.execute("SELECT landmark FROM cell_state").get
    window = defaultdict(Cell)
    rows = connection.execute(
        """SELECT task_type, model, provider, complexity, timestamp_ms, received_ms, actual_input_tokens, actual_output_tokens, actual_cost_usd_micros,
           task_duration_ms, estimated_input_tokens, estimated_output_tokens, quality_gate_passed, outcome FROM events"""
    )
    for task_type, model, provider, complexity, timestamp, received, *numbers, passed, outcome in rows:
        names = {"task_type": texts[task_type], "model": same_model(texts[model]), "provider": texts[provider], "complexity": texts[complexity]}
        flags = [bool(passed), texts[outcome] == "success", texts[provider] == "ollama"]
        task = Tasks(*(np.array([value]) for value in (*numbers, *flags)))
        came = received // 86_400_000
        day = max(min(timestamp // 86_400_000, came), came - 90)
        weight = round(64 * 2 ** ((day - landmark) % 30 / 30)) * 2 ** ((day - landmark) // 30)
        for level, kept in enumerate([*LADDER, LADDER[0]]):
            period = [str(day // 7)] if level == len(LADDER) else []
            window[level, "\x1f".join([names[name] for name in kept] + period)].add(task, np.array([weight]))
    connection.close()
    return {key: cell.to_bytes() for key, cell in window.items()}
