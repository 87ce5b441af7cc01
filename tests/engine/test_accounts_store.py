"""What every store does with accounts, use and limits."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from mosaic_telemetry.engine.store import Act, Bucket, IntakeKey, NewKey

NOW = 1_700_000_000_000


def a_key(text="k", *, now=NOW, expires_ms=None):
    return NewKey(text.encode().ljust(32, b"."), text, text[-6:], now, expires_ms)


def an_act(action="did"):
    return Act(NOW, "cli:me", action, "subject", '{"name": "ä"}')


@pytest.fixture
def instance(store):
    return store.create_instance(uuid.uuid4(), "one", NOW).result()


def test_an_instance_is_found_by_its_id_and_its_keys(store):
    made = store.create_instance(uuid.uuid4(), "näme", NOW, key=a_key("first")).result()
    assert store.find_instance(made.instance_id) == made
    assert store.instances() == [made]
    found = store.find_key(a_key("first").digest).result()
    assert found.instance == made
    assert found.digest == a_key("first").digest
    assert (found.key.name, found.key.hint, found.key.created_ms, found.key.expires_ms, found.key.revoked_ms) == ("first", "first", NOW, None, None)
    assert store.find_key(a_key("other").digest).result() is None
    assert store.find_instance(uuid.uuid4()) is None


def test_there_is_one_local_instance(store):
    first = store.create_instance(uuid.uuid4(), "local", NOW, local=True).result()
    assert first.local
    assert store.create_instance(uuid.uuid4(), "again", NOW + 1, local=True).result() == first


def test_keys_are_listed_oldest_first(store, instance):
    other = store.create_instance(uuid.uuid4(), "two", NOW, key=a_key("theirs")).result()
    added = [store.add_key(instance.number, a_key(name, expires_ms=NOW + 5)).result() for name in ("a", "b")]
    assert store.list_keys(instance.number) == added
    assert [key.name for key in store.list_keys()] == ["theirs", "a", "b"]
    assert [key.instance for key in store.list_keys(other.number)] == [other.number]
    assert added[0].works(NOW + 4)
    assert not added[0].works(NOW + 5)


def test_replaced_keys_end_at_the_end_of_the_overlap_or_when_they_would_have_anyway(store, instance):
    store.add_key(instance.number, a_key("long")).result()
    store.add_key(instance.number, a_key("short", expires_ms=NOW + 10)).result()
    store.add_key(instance.number, a_key("over", expires_ms=NOW - 10)).result()
    store.replace_keys(instance.number, a_key("new"), NOW + 100).result()
    assert {key.name: (key.expires_ms, key.revoked_ms) for key in store.list_keys()} == {
        "long": (NOW + 100, None),
        "short": (NOW + 10, None),
        "over": (NOW - 10, None),
        "new": (None, None),
    }


def test_keys_replaced_without_an_overlap_are_revoked(store, instance):
    store.add_key(instance.number, a_key("old")).result()
    store.replace_keys(instance.number, a_key("new"), NOW).result()
    assert [(key.name, key.works(NOW)) for key in store.list_keys()] == [("old", False), ("new", True)]


def test_revoking_all_or_one(store, instance):
    keys = [store.add_key(instance.number, a_key(name)).result() for name in ("a", "b", "c")]
    assert store.revoke_keys(instance.number, NOW, keys[1].number).result() == 1
    assert [key.works(NOW) for key in store.list_keys()] == [True, False, True]
    assert store.revoke_keys(instance.number, NOW + 1).result() == 2
    assert [key.revoked_ms for key in store.list_keys()] == [NOW + 1, NOW, NOW + 1]
    assert store.revoke_keys(instance.number, NOW + 2).result() == 0
    other = store.create_instance(uuid.uuid4(), "two", NOW, key=a_key("theirs")).result()
    assert store.revoke_keys(other.number, NOW, keys[0].number).result() == 0


def test_an_act_stands_in_the_log_with_what_it_did_or_not_at_all(store):
    made = store.create_instance(uuid.uuid4(), "one", NOW, key=a_key("k"), act=an_act("instance.create")).result()
    store.add_key(made.number, a_key("l"), an_act("key.create")).result()
    store.replace_keys(made.number, a_key("m"), NOW, an_act("key.rotate")).result()
    store.revoke_keys(made.number, NOW, None, an_act("key.revoke")).result()
    store.keep_setting("x", "1", an_act("setting")).result()
    store.note(an_act("noted")).result()
    with pytest.raises(Exception):  # noqa: B017, PT011 - the same digest twice; each store has its own error
        store.add_key(made.number, a_key("l"), an_act("key.create twice")).result()
    acts = store.acts(10)
    assert [act.action for act in acts] == ["noted", "setting", "key.revoke", "key.rotate", "key.create", "instance.create"]
    assert (acts[0].at_ms, acts[0].actor, acts[0].subject, acts[0].detail) == (NOW, "cli:me", "subject", '{"name": "ä"}')
    assert [act.action for act in store.acts(2, acts[1].number)] == ["key.revoke", "key.rotate"]


def test_a_setting_stays_unless_it_is_replaced(store):
    assert store.setting("x") is None
    assert store.keep_setting("x", "first", an_act()).result() == "first"
    assert store.keep_setting("x", "second", an_act()).result() == "first"
    assert store.setting("x") == "first"
    assert store.keep_setting("x", "third", an_act(), replace=True).result() == "third"
    assert store.setting("x") == "third"
    assert len(store.acts(10)) == 2


def test_a_setting_is_changed_only_while_it_is_what_was_read(store):
    assert not store.change_setting("x", "", "first").result()
    assert store.setting("x") is None
    store.keep_setting("x", "0").result()
    assert store.change_setting("x", "0", "1").result()
    assert not store.change_setting("x", "0", "2").result()
    assert store.setting("x") == "1"


def test_of_many_who_change_a_setting_at_once_each_does_so_once(store):
    store.keep_setting("x", "0").result()

    def add(_):
        while not store.change_setting("x", before := store.setting("x"), str(int(before) + 1)).result():
            pass

    with ThreadPoolExecutor(4) as several:
        list(several.map(add, range(20)))
    assert store.setting("x") == "20"


def test_intake_adds_up(store, instance):
    day = IntakeKey(100, instance.number, "accepted")
    store.add_intake({day: 5, day._replace(result="duplicate"): 1}).result()
    store.add_intake({day: 7, day._replace(day=101): 2}).result()
    store.add_intake({}).result()
    assert store.intake(100, 100) == {day: 12, day._replace(result="duplicate"): 1}
    assert store.intake(101, 200) == {day._replace(day=101): 2}


def test_a_bucket_fills_by_its_rate_up_to_its_size_and_may_owe(store):
    def settle(taken, now_ms):
        return store.settle({"a": Bucket(10.0, 50.0, taken)}, now_ms).result()["a"]

    assert settle(20, NOW) == 30
    assert settle(0, NOW + 1000) == pytest.approx(40)
    assert settle(0, NOW + 60_000) == 50
    assert settle(80, NOW + 60_000) == -30
    assert settle(0, NOW + 59_000) == -30  # a clock that goes back
    assert settle(0, NOW + 61_000) == pytest.approx(-20)
    assert store.settle({"b": Bucket(1.0, 5.0, 1.0), "c": Bucket(1.0, 7.0, 0.0)}, NOW).result() == {"b": 4, "c": 7}


def test_buckets_that_were_long_not_used_are_forgotten(store):
    for name, now_ms in (("a", NOW), ("b", NOW + 10)):
        store.settle({name: Bucket(0.001, 10.0, 9.0)}, now_ms).result()
    assert store.forget_buckets(NOW + 10).result() == 1
    assert store.settle({name: Bucket(0.001, 10.0, 0.0) for name in ("a", "b")}, NOW + 10).result() == {"a": 10, "b": 1}


def test_sizes_count_rows(store, instance):
    store.add_key(instance.number, a_key()).result()
    assert store.sizes() == {"cells": 0, "shares": 0, "instances": 1, "api_keys": 1}
