import random
import uuid
from collections import defaultdict
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mosaic_telemetry.engine.errors import DatabaseError
from mosaic_telemetry.engine.keeping import Keeper, Retention
from mosaic_telemetry.engine.recount import differences
from mosaic_telemetry.engine.store import COUNTS, IMPLAUSIBLE, ON_TRIAL, Change, StoredEvent, Totals
from mosaic_telemetry.engine.store.opening import open_store
from mosaic_telemetry.forecast import CellKey
from mosaic_telemetry.schema import TaskCompletionEvent, from_dict
from mosaic_telemetry.server.examples import EXAMPLES

DAY = 86_400
START = 1_770_458_400
EVERYTHING = CellKey(5, ())


class House:
    """A store with a clock and two keepers, which no thread moves; `apart` lets the second see it as another process does."""

    def __init__(self, database, retention=None, *, public=None, apart=False):
        self.clock = START
        self.store = open_store(database)
        self.other = open_store(database) if apart else self.store
        self.numbers = [self.store.create_instance(uuid.uuid4(), name, START * 1000).result().number for name in ("a", "b", "c")]
        self.keepers = [Keeper(store, lambda: self.clock, retention, public=public) for store in (self.store, self.other)]

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


@pytest.mark.parametrize("public", [False, True])
@given(acts=ACTS)
@settings(max_examples=30, deadline=None)
def test_cells_hold_the_window_whatever_happens_in_which_order(tmp_path_factory, acts, public):
    holds_the_window(House(tmp_path_factory.mktemp("store") / "t.db", Retention(window_days=90, event_days=120), public=public, apart=True), acts)


@pytest.mark.parametrize("public", [False, True])
@pytest.mark.parametrize("new_database", ["postgres"], indirect=True)
@given(acts=ACTS)
@settings(max_examples=5, deadline=None)
def test_so_do_they_on_postgres(new_database, acts, public):
    holds_the_window(House(new_database(), Retention(window_days=90, event_days=120), public=public), acts)


def holds_the_window(house, acts):
    for number, (act, argument) in enumerate(acts):
        if act == "report":
            house.report(argument, tasks(number))
        elif act == "step":
            house.keepers[argument].step()
        elif act == "days":
            house.clock += argument * DAY
        else:
            house.keepers[number % 2].erase(house.numbers[argument])
        assert differences(house.store) == []
    while house.keepers[0].step():
        pass
    assert differences(house.store) == []
    left = house.store.read_events(0, house.store.horizon(), 10_000)
    assert all(row.received_ms >= (house.clock - 120 * DAY) * 1000 for row in left)
    state = house.store.state()
    assert all((state.expired < row.sequence) == (row.received_ms >= (house.clock - 90 * DAY) * 1000) for row in left)
    house.other.close()
    house.store.close()


def test_an_event_that_came_under_a_clock_far_ahead_goes_with_those_after_it(new_database):
    house = House(new_database(), Retention(window_days=90, event_days=120))
    for days in (0, 10_000, -10_000):
        house.clock += days * DAY
        house.report(0, tasks(1, count=2))
    for days in (60, 31, 30, 60):
        house.clock += days * DAY
        house.report(0, tasks(2, count=2))
        while house.keepers[0].step():
            pass
        assert differences(house.store) == []
    left = house.store.read_events(0, house.store.horizon(), 10_000)
    assert [(house.clock - row.received_ms // 1000) // DAY for row in left] == [90, 90, 60, 60, 0, 0]
    house.store.close()


def test_a_public_server_with_few_instances_catches_up_in_as_large_portions_as_any(tmp_path):
    """What few report fills the cells with few tasks, however many they were: they are no measure of how much is known."""
    houses = [House(tmp_path / f"{public}.db", public=public) for public in (False, True)]
    events = tasks(7, count=1000)
    for _ in range(3):
        for house in houses:
            house.report(0, events)
    steps = []
    for house in houses:
        house.keepers[0].step()  # the profile
        portions = []
        while portion := house.keepers[0].step():
            portions.append(portion)
        steps.append(portions)
        assert differences(house.store) == []
        house.store.close()
    assert steps[0][-8:] == steps[1][-8:]
    assert len(steps[1]) < 20


def test_a_keeper_knows_whether_more_is_waiting(tmp_path):
    house = House(tmp_path / "telemetry.db")
    keeper = house.keepers[0]
    house.report(0, tasks(1, count=100))
    assert keeper.step() == 1  # the profile
    assert (keeper.step(), keeper.behind) == (64, True)
    assert (keeper.step(), keeper.behind) == (36, False)
    assert (keeper.step(), keeper.behind) == (0, False)
    house.store.close()


@pytest.mark.parametrize("public", [False, True])
def test_an_erased_instance_leaves_the_cells_as_if_it_had_never_been_there(new_database, public):
    seen, unseen = House(new_database(), public=public), House(new_database(), public=public)
    for number in range(6):
        seen.report(2, tasks(100 + number))
        seen.report(0, tasks(number))
        seen.keepers[0].catch_up()
        unseen.report(0, tasks(number))
        unseen.keepers[0].catch_up()
        seen.clock = unseen.clock = seen.clock + 5 * DAY
    assert seen.cells() != unseen.cells()
    assert seen.keepers[1].erase(seen.numbers[2]) == 30
    assert seen.cells() == unseen.cells()
    assert seen.keepers[1].erase(seen.numbers[2]) == 0
    seen.store.close()
    unseen.store.close()


def test_events_leave_the_cells_after_the_window_and_are_deleted_when_they_are_old_enough(database):
    house = House(database, Retention(window_days=180, event_days=365))
    sizes = []
    for _ in range(5):
        house.report(0, tasks(1))
        for _ in range(10):
            house.keepers[0].step()
        cells, _, totals = house.cells()
        sizes.append((cells[EVERYTHING].cell.events, sum(total.events for total in totals.values())))
        house.clock += 100 * DAY
    assert sizes == [(5, 5), (10, 10), (10, 15), (10, 20), (10, 20)]
    assert differences(house.store) == []
    house.store.close()


@pytest.mark.parametrize("days", [{"window_days": 0}, {"window_days": 401}, {"event_days": 0}, {"window_days": float("nan")}])
def test_a_retention_that_cannot_be_kept_is_refused(days):
    with pytest.raises(ValueError, match="days"):
        Retention(**days)


def test_an_erasure_that_is_cut_off_leaves_the_cells_right_and_is_finished_later(tmp_path):
    seen, unseen = House(tmp_path / "seen.db"), House(tmp_path / "unseen.db")
    for house in (seen, unseen):
        house.report(0, tasks(1, 50))
    many = [StoredEvent(uuid.uuid4().bytes, seen.clock * 1000, event) for event in tasks(2, 100) * 170]
    seen.store.insert(seen.numbers[1], seen.clock * 1000, [event._replace(event_id=uuid.uuid4().bytes) for event in many]).result()
    seen.keepers[0].catch_up()
    unseen.keepers[0].catch_up()

    class Fails:
        """A store that fails in the middle of the work."""

        def __init__(self):
            self.left = 1

        def __getattr__(self, name):
            return getattr(seen.store, name)

        def apply(self, change):
            if not self.left:
                raise DatabaseError("the plug was pulled")
            self.left -= 1
            return seen.store.apply(change)

    with pytest.raises(DatabaseError):
        Keeper(Fails(), lambda: seen.clock).erase(seen.numbers[1])
    left = len(seen.store.read_events(0, seen.store.horizon(), 100_000, seen.numbers[1]))
    assert 0 < left < len(many)
    assert differences(seen.store) == []
    assert seen.keepers[1].erase(seen.numbers[1]) == left
    assert seen.cells() == unseen.cells()
    seen.store.close()
    unseen.store.close()


@pytest.mark.parametrize("public", [False, True])
def test_the_landmark_moves_on_and_nothing_changes_but_the_unit_of_weights(database, public):
    house = House(database, public=public)
    keeper = house.keepers[0]
    for number in range(3):
        house.report(number, tasks(number, 30))
        keeper.catch_up()
        before, state = house.cells()[0][EVERYTHING], house.store.state()
        house.clock += 89 * DAY
        keeper.step()
        assert differences(house.store) == []
        if house.store.state().landmark > state.landmark:
            after = house.cells()[0][EVERYTHING]
            assert after.cell.weight < before.cell.weight
            assert after.cell.duration_ms.quantile(0.5) == before.cell.duration_ms.quantile(0.5)
            break
    else:
        pytest.fail("the landmark never moved")
    house.store.close()


def test_another_profile_counts_everything_anew_and_back_again(database):
    house = House(database, Retention(window_days=90), public=False)
    house.report(0, tasks(1, 100))
    house.clock += 95 * DAY
    house.report(0, tasks(2, 100))
    house.report(1, tasks(3, 10))
    house.keepers[0].catch_up()
    while house.keepers[0].step():
        pass
    private = house.cells()
    public = Keeper(house.store, lambda: house.clock, Retention(window_days=90), public=True)
    public.catch_up()
    assert differences(house.store) == []
    everything = house.store.find_cells([EVERYTHING])[EVERYTHING]
    assert (everything.cell.events, everything.instances) == (20 + 10, 2)
    Keeper(house.store, lambda: house.clock, Retention(window_days=90)).catch_up()  # it takes the store as it is
    assert house.store.find_cells([EVERYTHING])[EVERYTHING].cell.events == 30
    house.keepers[1].catch_up()
    assert house.cells() == private
    house.store.close()


def test_events_that_do_not_count_are_kept_and_not_counted(database):
    house = House(database)
    for standing in (COUNTS, IMPLAUSIBLE, ON_TRIAL):
        event = StoredEvent(uuid.uuid4().bytes, house.clock * 1000, tasks(1, 1)[0], standing)
        house.store.insert(house.numbers[0], house.clock * 1000, [event]).result()
    house.keepers[0].catch_up()
    assert house.store.find_cells([EVERYTHING])[EVERYTHING].cell.events == 1
    assert len(house.store.read_events(0, house.store.horizon(), 10)) == 3
    house.store.close()


def test_of_two_changes_computed_from_one_state_one_is_made(database):
    house = House(database)
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


def test_a_wrong_cell_is_named(database):
    house = House(database)
    house.report(0, tasks(1))
    house.keepers[0].catch_up()
    state, (key, share) = house.store.state(), next(iter(house.store.list_shares().items()))
    cells = house.store.find_cells([key[0]])
    assert house.store.apply(Change(state.version, state, cells=cells, shares={key: replace(share, events=share.events + 1)})).result()
    (line,) = differences(house.store)
    assert line.startswith(f"share ({key[0]!r}, ")
    house.store.close()


def test_totals_are_added_up_by_any_of_their_dimensions(database):
    house = House(database)
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
