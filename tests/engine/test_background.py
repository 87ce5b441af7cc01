"""What the keeper's thread tells of a store that is away."""

import logging
import re
import threading

import pytest
from support.waiting import wait_for

from mosaic_telemetry.engine import DatabaseBusyError
from mosaic_telemetry.engine.background import Background

LOGGER = "mosaic_telemetry.engine.background"


class Away:
    """A keeper's work on a store that fails with one error after the other (None: it works meanwhile), and then is there."""

    behind = False

    def __init__(self, *errors):
        self.errors = list(errors)
        self.steps = 0
        self.back = threading.Event()

    def backlog(self):
        return 0

    def step(self):
        self.steps += 1
        if not self.errors:
            self.back.set()
        elif error := self.errors.pop(0):
            raise error
        return 0


@pytest.fixture
def told(caplog):
    """Runs a keeper until its store is back; what was told by then, as (level, text)."""
    caplog.set_level(logging.INFO, LOGGER)

    def run(keeper):
        background = Background(keeper)
        assert keeper.back.wait(30)
        wait_for(lambda: keeper.steps and caplog.records and "again" in caplog.records[-1].getMessage(), what="word that the store is back")
        background.stop()
        return [(record.levelname, record.getMessage()) for record in caplog.records if record.name == LOGGER]

    return run


def test_that_the_store_is_away_is_told_once_and_once_that_it_is_back(told):
    first, last = told(Away(DatabaseBusyError("connection refused"), DatabaseBusyError("it starts up"), DatabaseBusyError("connection refused")))
    assert first == ("WARNING", "the cells cannot be brought up to date (connection refused); it is tried until they can")
    assert last[0] == "WARNING"
    found = re.fullmatch(r"the cells are brought up to date again, after (\d+\.\d) s", last[1])
    assert found
    assert float(found[1]) >= 1.0  # half a second between tries


def test_what_nobody_expected_is_told_with_where_it_happened_beside_what_was_known(told, caplog):
    lines = told(Away(DatabaseBusyError("gone"), ZeroDivisionError("one"), DatabaseBusyError("gone"), ZeroDivisionError("two")))
    assert [level for level, _ in lines] == ["WARNING", "ERROR", "WARNING"]
    assert caplog.records[1].exc_info[1].args == ("one",)


def test_the_next_time_is_told_again(told):
    lines = told(Away(DatabaseBusyError("first"), None, DatabaseBusyError("second")))
    assert [text.partition(",")[0].partition(";")[0] for _, text in lines] == [
        "the cells cannot be brought up to date (first)",
        "the cells are brought up to date again",
        "the cells cannot be brought up to date (second)",
        "the cells are brought up to date again",
    ]
