"""What one server publishes, as a file and as another one's prior."""

import stat

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mosaic_telemetry.engine import CellsFileError, open_engine
from mosaic_telemetry.engine.federation import Prior, Signed, SigningKey, read_file, to_publish, write_file
from mosaic_telemetry.engine.federation.keys import key_of, name_of_key
from mosaic_telemetry.engine.keeping import PUBLIC
from mosaic_telemetry.engine.predict import predict
from mosaic_telemetry.engine.standing import Admission
from mosaic_telemetry.engine.store import Act, CellState, StoredCell
from mosaic_telemetry.forecast import Cell, Tasks, keys_of
from mosaic_telemetry.schema import PredictionQuery, TaskCompletionEvent, from_dict

EXACT = {"task_type": "debugging", "model": "gpt-5", "provider": "openai", "complexity": "high"}
QUERY = from_dict(PredictionQuery, EXACT)


def tasks(count, *, tokens=5000, spread=1.0, success=True, free=False):
    """Tasks around an amount, spread by a factor on both sides."""
    amounts = (tokens * np.exp(np.linspace(-spread, spread, count))).astype(np.int64)
    zero, yes = np.zeros(count, dtype=np.int64), np.ones(count, dtype=np.bool_)
    return Tasks(amounts, amounts // 2, zero if free else amounts * 10, amounts * 3, zero, zero, yes, yes if success else ~yes, yes if free else ~yes)


def cells_of(count, instances=5, dimensions=None, **about):
    cell = Cell()
    cell.add(tasks(count, **about))
    return {key: StoredCell(cell, 1_770_000_000_000, instances) for key in keys_of(**(dimensions or EXACT))}


def prior_of(*cells, profile=""):
    published = to_publish(CellState(profile=profile), {key: stored for part in cells for key, stored in part.items()}, "a test", 1)
    return Prior(Signed(b"", published))


def ask(own, prior):
    return predict([QUERY], lambda keys: {key: own[key] for key in keys if key in own}, 20_000, prior=prior)[0]


@pytest.fixture
def key(tmp_path):
    return SigningKey.make(tmp_path / "key.pem")


@pytest.fixture
def published():
    return to_publish(CellState(), cells_of(50), "a test")


def test_only_cells_of_enough_instances_are_published_and_none_of_them_knows_an_instance(database, make_event):
    with open_engine(database, admission=Admission(trial_days=0)) as engine:
        for number in range(6):
            instance = engine.authenticate(engine.create_instance(f"secret-{number}").api_key)
            model = "of-few" if number < 4 else "gpt-5"
            changes = [EXACT, EXACT | {"model": "of-few"}] if number < 4 else [EXACT | {"model": model}]
            sent = [make_event(instance.instance_id, **change) for change in changes for _ in range(6)]
            engine.ingest(instance, [from_dict(TaskCompletionEvent, event) for event in sent])
        engine.roll_up()
        published = engine.publish("a test")
        assert engine.publish("a test", least=1) == published  # a public server holds to its minimum
    named = {row.key for row in published.cells}
    assert set(keys_of(**EXACT)) <= named
    assert not any("of-few" in value for row in named for value in row.values)
    assert all(row.instances >= 5 for row in published.cells)
    assert all(Cell.from_bytes(row.cell).largest_share == 0 for row in published.cells)
    assert b"secret" not in msgspec.msgpack.encode(published)


def test_the_operator_of_a_private_server_may_publish_what_is_his():
    few = cells_of(50, instances=1)
    assert to_publish(CellState(), few, "me").cells == ()
    assert len(to_publish(CellState(), few, "me", 1).cells) == 6


def test_the_same_cells_make_the_same_bytes(published, key):
    shuffled = to_publish(CellState(), dict(reversed(cells_of(50).items())), "a test")
    assert write_file(published, key) == write_file(shuffled, key)
    assert read_file(write_file(published, key)) == Signed(key.public, published)


def test_a_key_is_kept_for_its_owner_alone_and_read_again(tmp_path):
    path = tmp_path / "key.pem"
    made = SigningKey.make(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert SigningKey.read(path).public == made.public
    assert key_of(name_of_key(made.public)) == made.public
    with pytest.raises(CellsFileError, match="leave out --new-key"):
        SigningKey.make(path)
    with pytest.raises(CellsFileError, match="--new-key makes one"):
        SigningKey.read(tmp_path / "none.pem")
    path.write_text("nonsense")
    with pytest.raises(CellsFileError, match="no private key"):
        SigningKey.read(path)
    with pytest.raises(CellsFileError, match="64 hexadecimal"):
        key_of("ed25519:12")


def test_files_that_are_refused(published, key, tmp_path):
    whole = write_file(published, key)
    other = SigningKey.make(tmp_path / "other.pem")
    for data, reason in [
        (b"", "no file of"),
        (b"PK\x03\x04 something else", "no file of"),
        (whole[:4], "cut short"),
        (whole[:100], "cut short"),
        (whole[:-1], "cut short"),
        (whole[:7] + b"\x02" + whole[8:], "version 2"),
        (whole + b"x", "damaged or changed"),
        (whole[:-1] + bytes([whole[-1] ^ 1]), "damaged or changed"),
        (write_file(published, other), f"not with the trusted {name_of_key(key.public)}"),
        (write_file(msgspec.structs.replace(published, source=""), key), "does not say who"),
        (write_file(msgspec.structs.replace(published, cells=(msgspec.structs.replace(published.cells[0], level=77),)), key), "cannot be"),
        (write_file(msgspec.structs.replace(published, cells=(msgspec.structs.replace(published.cells[0], cell=b"\x07"),)), key), "cannot be read"),
    ]:
        with pytest.raises(CellsFileError, match=reason) as refused:
            read_file(data, key.public)
        assert "\n" not in str(refused.value)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_no_changed_byte_is_overlooked(data, published, key):
    whole = bytearray(write_file(published, key))
    # The length says how much is missing, and nothing else; it is not what the signature is of.
    place = data.draw(st.integers(0, len(whole) - 1).filter(lambda place: not 8 <= place < 16))
    whole[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CellsFileError):
        read_file(bytes(whole))


def test_without_own_events_the_prior_answers_as_its_owner_would_and_says_so():
    theirs = cells_of(200, tokens=5000)
    said = ask(theirs, None).prediction
    answer = ask({}, prior_of(theirs))
    assert answer.prediction == said
    about = answer.metadata
    assert (about.sample_size, about.fallback_level, about.confidence, about.last_updated) == (0, -1, "low", None)
    assert (about.prior.source, about.prior.sample_size, about.prior.fallback_level) == ("a test", 200, 0)
    assert about.prior.last_updated == "2026-02-02T02:40:00.000Z"
    assert "somebody else (a test) alone" in about.fallback_note


def test_what_neither_knows_has_no_answer():
    nothing = ask({}, prior_of(cells_of(4)))
    assert nothing.prediction is None
    assert (nothing.metadata.confidence, nothing.metadata.prior) == ("none", None)


def test_own_events_outweigh_it_step_by_step():
    prior = prior_of(cells_of(10_000, tokens=100_000, success=False))
    medians, rates = [], []
    for count in (1, 5, 10, 30, 60, 99):
        answer = ask(cells_of(count, tokens=1000), prior)
        medians.append(answer.prediction.input_tokens.median)
        rates.append(answer.prediction.quality.success_rate)
        if count >= 5:
            assert (answer.metadata.sample_size, answer.metadata.fallback_level) == (count, 0)
            assert "somebody else" in answer.metadata.fallback_note
    assert 100_000 > medians[0] > 10_000
    assert medians == sorted(medians, reverse=True)
    assert rates == sorted(rates)
    assert medians[2] < 5000
    assert medians[-1] == pytest.approx(1000, rel=0.05)
    assert 0 < rates[0] < 0.3
    assert rates[-1] > 0.99


@settings(max_examples=40, deadline=None)
@given(st.integers(100, 400), st.integers(5, 5000), st.floats(10, 1e6), st.booleans())
def test_from_a_hundred_own_events_on_a_prior_changes_nothing(own, theirs, tokens, free):
    mine = cells_of(own, tokens=3000)
    assert ask(mine, prior_of(cells_of(theirs, tokens=int(tokens), free=free))) == ask(mine, None)


def test_a_prior_of_just_this_kind_says_more_than_own_events_of_other_kinds():
    others = cells_of(500, tokens=1000, dimensions=EXACT | {"task_type": "documentation", "model": "other"})
    answer = ask(others, prior_of(cells_of(1000, tokens=50_000)))
    assert answer.metadata.fallback_level == 5
    assert 20_000 < answer.prediction.input_tokens.median < 50_000
    wide = ask(cells_of(500, tokens=1000), prior_of(cells_of(1000, tokens=50_000, dimensions=EXACT | {"task_type": "documentation", "model": "other"})))
    assert wide.metadata.prior is None


def test_a_model_that_is_free_there_and_not_here_costs_what_it_costs_here():
    mine = cells_of(20, tokens=1000)
    assert ask(mine, prior_of(cells_of(50, free=True))).prediction.cost_usd_micros == ask(mine, None).prediction.cost_usd_micros
    assert ask({}, prior_of(cells_of(50, free=True))).prediction.cost_usd_micros["median"] == 0


def test_what_a_public_server_does_not_show_the_ends_of_has_those_of_the_wider_level():
    narrow = cells_of(200, tokens=5000, spread=3.0, instances=6)
    told = ask({}, prior_of(narrow, profile=PUBLIC)).prediction.input_tokens
    own = ask({}, prior_of(narrow)).prediction.input_tokens
    assert told.median == own.median
    assert told.p90 < own.p90


def test_every_store_keeps_it_for_all_processes_and_lets_go_of_it(house, database, key, published):
    house.engine.priors.current()
    with open_engine(database, keep=False) as other:
        data = write_file(published, key)
        other.priors.keep(data, read_file(data), Act(1, "test", "cells.import", "a test"))
        assert other.priors.trusted() == key.public
    with open_engine(database, keep=False) as later:
        assert later.predict([QUERY])[0].metadata.prior.sample_size == 50
        assert later.accounts.acts(1)[0].action == "cells.import"
        assert later.priors.remove(Act(2, "test", "cells.remove", ""))
        assert not later.priors.remove(Act(2, "test", "cells.remove", ""))
        assert later.priors.trusted() == key.public
    with open_engine(database, keep=False) as last:
        assert last.predict([QUERY])[0].prediction is None
