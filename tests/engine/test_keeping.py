import random
import uuid
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mosaic_telemetry.engine.keeping import Keeper, Retention
from mosaic_telemetry.engine.recount import differences
from mosaic_telemetry.engine.store import StoredEvent, Totals
from mosaic_telemetry.engine.store.sqlite import SqliteStore
from mosaic_telemetry.schema import TaskCompletionEvent, from_dict
from mosaic_telemetry.server.examples import EXAMPLES

DAY = 86_400
START = 1_770_458_400


class House:
    """A store with a clock and two keepers, which no thread moves."""

    def __init__(self, path, retention=None):
        self.clock = START
        self.store = SqliteStore(path)
        self.numbers = [self.store.create_instance(uuid.uuid4(), name, START * 1000).result().number for name in ("a", "b", "c")]
        self.keepers = [Keeper(self.store, lambda: self.clock, retention) for _ in range(2)]

    def report(self, instance, events):
        done = self.store.insert(self.numbers[instance], self.clock * 1000, [StoredEvent(uuid.uuid4().bytes, self.clock * 1000, event) for event in events])
        assert done.result() == [True] * len(events)

    def cells(self):
        store = self.store
        return store.list_cells(), store.list_shares(), store.find_totals(0, 10**6)


def tasks(seed, count=5):
    """Events of a few kinds, drawn by a seed."""
    rng = random.Random(seed)
    return [
        from_dict(
            TaskCompletionEvent,
            EXAMPLES["TaskCompletionEvent"]
            | {
                "task_type": rng.choice(["testing", "debugging"]),
                "model": rng.choice(["one", " One", "two"]),
                "actual_cost_usd_micros": rng.choice([0, 1000, rng.randrange(10**6)]),
                "actual_input_tokens": rng.randrange(10**6),
                "outcome": rng.choice(["success", "failure"]),
            },
        )
        for _ in range(count)
    ]


ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("report"), st.integers(0, 2)),
        st.tuples(st.just("step"), st.integers(0, 1)),
        st.tuples(st.just("days"), st.integers(0, 60)),
        st.tuples(st.just("erase"), st.integers(0, 2)),
    ),
    max_size=30,
)


@given(acts=ACTS)
@settings(max_examples=40, deadline=None)
def test_cells_hold_the_window_whatever_happens_in_which_order(tmp_path_factory, acts):
    house = House(tmp_path_factory.mktemp("store") / "t.db", Retention(window_days=90, event_days=120))
    for number, (act, argument) in enumerate(acts):
        if act == "report":
            house.report(argument, tasks(number))
        elif act == "step":
            house.keepers[argument].step()
        elif act == "days":
            house.clock += argument * DAY
        else:
            house.keepers[0].erase(house.numbers[argument])
        assert differences(house.store) == []
    while house.keepers[0].step():
        pass
    assert differences(house.store) == []
    left = house.store.read_events(0, house.store.horizon(), 10_000)
    assert all(row.received_ms >= (house.clock - 120 * DAY) * 1000 for row in left)
    state = house.store.state()
    assert all((state.expired < row.sequence) == (row.received_ms >= (house.clock - 90 * DAY) * 1000) for row in left)
    house.store.close()


def test_an_erased_instance_leaves_the_cells_as_if_it_had_never_been_there(tmp_path):
    seen, unseen = House(tmp_path / "seen.db"), House(tmp_path / "unseen.db")
    for number in range(6):
        seen.report(0, tasks(number))
        seen.report(2, tasks(100 + number))
        seen.keepers[0].step()
        unseen.report(0, tasks(number))
        unseen.keepers[0].step()
    assert seen.cells() != unseen.cells()
    assert seen.keepers[1].erase(seen.numbers[2]) == 30
    assert seen.cells() == unseen.cells()
    assert seen.keepers[1].erase(seen.numbers[2]) == 0
    seen.store.close()
    unseen.store.close()


def test_of_two_changes_computed_from_one_state_one_is_made(tmp_path):
    house = House(tmp_path / "t.db")
    house.keepers[0].step()
    house.report(0, tasks(1))
    taken = []

    class Slow:
        """A store that lets another keeper act between the reading of a state and the change computed from it."""

        def __getattr__(self, name):
            return getattr(house.store, name)

        def apply(self, change):
            if not taken:
                taken.append(house.keepers[0].step())
            return house.store.apply(change)

    keeper = Keeper(Slow(), lambda: house.clock)
    keeper.catch_up()
    assert taken == [5]
    assert differences(house.store) == []
    house.store.close()


def test_a_wrong_cell_is_named(tmp_path):
    house = House(tmp_path / "t.db")
    house.report(0, tasks(1))
    house.keepers[0].catch_up()
    house.store._writer.submit(lambda connection: connection.execute("UPDATE shares SET events = events + 1 WHERE cell = 1")).result()
    (line,) = differences(house.store)
    assert line.startswith("share (CellKey(level=0, ")
    house.store.close()


def test_totals_are_added_up_by_any_of_their_dimensions(tmp_path):
    house = House(tmp_path / "t.db")
    assert house.store.sum_totals((0, 10**6)) == {}
    for number in range(4):
        house.report(0, tasks(number))
        house.clock += DAY
    house.keepers[0].catch_up()
    totals = house.store.find_totals(0, 10**6)
    first = START // DAY
    for by in ((), ("day",), ("model", "task_type"), ("harness", "day", "provider", "complexity")):
        for only in ({}, {"task_type": "testing"}, {"model": "one", "task_type": "debugging"}, {"model": "unheard of"}):
            expected = defaultdict(Totals)
            for key, total in totals.items():
                if first + 1 <= key.day <= first + 2 and all(getattr(key, name) == value for name, value in only.items()):
                    name = tuple(getattr(key, field) for field in by)
                    expected[name] = Totals(*map(sum, zip(expected[name], total, strict=True)))
            assert house.store.sum_totals((first + 1, first + 2), by, only) == expected
    for by, only in ((("model; DROP TABLE events",), {}), ((), {"day": "1"}), ((), {"colour": "red"})):
        with pytest.raises(ValueError, match=r"days are chosen|not in tuple"):
            house.store.sum_totals((0, 1), by, only)
    house.store.close()
