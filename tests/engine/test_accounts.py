import hashlib
import json
from uuid import uuid4

import pytest

from mosaic_telemetry.engine import AccountError, Accounts, UnknownInstanceError, UnknownKeyError, open_engine
from mosaic_telemetry.engine.keys import KeyKind, kind_of


@pytest.fixture
def accounts(store, clock):
    return Accounts(store, clock)


@pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)  # it looks into the file
def test_only_the_hash_of_a_key_is_kept(house):
    credentials = house.engine.create_instance("one")
    assert credentials.api_key not in repr(credentials)
    assert kind_of(credentials.api_key) is KeyKind.API
    admin_key = house.engine.accounts.make_admin_key()
    house.engine.close()
    kept = b"".join(file.read_bytes() for file in house.path.parent.iterdir())
    for key in (credentials.api_key, admin_key):
        assert key.encode() not in kept
        assert bytes.fromhex(key) not in kept
    assert hashlib.sha256(credentials.api_key.encode()).digest() in kept


@pytest.mark.parametrize("key", ["", "x", "0" * 64, "\ud800", "a" * 10_000])
def test_an_unknown_key_is_nobodys(house, key):
    assert house.engine.authenticate(key) is None
    assert not house.engine.accounts.is_admin_key(key)


def test_a_key_that_another_process_made_or_revoked_counts_at_once(house):
    with open_engine(house.path) as other:
        credentials = other.create_instance("two")
        assert house.engine.authenticate(credentials.api_key).name == "two"
        assert other.accounts.revoke(credentials.instance_id) == 1
        assert house.engine.authenticate(credentials.api_key) is None


@pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)  # it looks into the file
def test_a_key_made_by_an_older_version_goes_on_working(house):
    """Such keys have 64 random hexadecimal characters, without the form that keys have today."""
    key = "0123456789abcdef" * 4
    house.engine._store._writer.submit(
        lambda connection: connection.execute(
            "INSERT INTO api_keys (digest, instance, created_ms) VALUES (?, ?, 0)", (hashlib.sha256(key.encode()).digest(), house.instance.number)
        )
    ).result()
    assert kind_of(key) is None
    assert house.engine.authenticate(key) == house.instance


def test_rotating_replaces_the_keys_at_once(accounts):
    old = accounts.create_instance("three").credentials
    new = accounts.rotate(old.instance_id).credentials
    assert new.instance_id == old.instance_id
    assert accounts.find(old.api_key) is None
    assert accounts.find(new.api_key).instance.instance_id == old.instance_id


def test_rotating_with_an_overlap_lets_both_keys_work_so_long(accounts, clock):
    old = accounts.create_instance().credentials
    new = accounts.rotate(old.instance_id, overlap=3600, name="second").credentials
    assert [accounts.find(key.api_key) is not None for key in (old, new)] == [True, True]
    clock.seconds += 3600
    assert [accounts.find(key.api_key) is not None for key in (old, new)] == [False, True]


def test_keys_have_names_and_expire(accounts, clock):
    made = accounts.create_instance("x", key_name="ci").credentials
    short = accounts.add_key(made.instance_id, "laptop", lifetime=60).credentials
    assert [key.name for key in accounts.keys(accounts.instance(made.instance_id))] == ["ci", "laptop"]
    assert accounts.find(short.api_key).key.name == "laptop"
    clock.seconds += 60
    assert accounts.find(short.api_key) is None
    assert accounts.find(made.api_key) is not None


def test_one_key_is_revoked_and_its_neighbour_goes_on(accounts):
    made = accounts.create_instance()
    other = accounts.add_key(made.credentials.instance_id)
    assert accounts.revoke(made.credentials.instance_id, made.key.number) == 1
    assert accounts.find(made.credentials.api_key) is None
    assert accounts.find(other.credentials.api_key) is not None
    with pytest.raises(UnknownKeyError, match="999"):
        accounts.revoke(made.credentials.instance_id, 999)


def test_an_unknown_instance_is_named(accounts):
    unknown = uuid4()
    for act in (accounts.rotate, accounts.revoke, accounts.add_key, accounts.instance):
        with pytest.raises(UnknownInstanceError, match=str(unknown)):
            act(unknown)


@pytest.mark.parametrize("wrong", [{"lifetime": 0}, {"lifetime": -1}, {"lifetime": float("nan")}, {"name": "x" * 201}, {"name": "a\nb"}])
def test_what_cannot_be_is_refused_in_one_line(accounts, wrong):
    made = accounts.create_instance().credentials
    with pytest.raises(AccountError) as caught:
        accounts.add_key(made.instance_id, **wrong)
    assert "\n" not in str(caught.value)
    with pytest.raises(AccountError):
        accounts.rotate(made.instance_id, overlap=-1)
    assert len(accounts.keys()) == 1


def test_there_is_one_local_instance_without_a_key(accounts):
    first = accounts.local_instance()
    assert first == accounts.local_instance()
    assert first.local
    assert accounts.keys(first) == []


def test_the_admin_key_is_made_once_unless_it_is_replaced(accounts):
    key = accounts.make_admin_key()
    assert kind_of(key) is KeyKind.ADMIN
    assert accounts.make_admin_key() is None
    assert accounts.is_admin_key(key)
    assert accounts.find(key) is None
    new = accounts.make_admin_key(replace=True)
    assert accounts.is_admin_key(new)
    assert not accounts.is_admin_key(key)


def test_every_act_stands_in_the_audit_log_without_a_secret(accounts):
    made = accounts.create_instance("one", actor="cli:ann").credentials
    added = accounts.add_key(made.instance_id, "ci", actor="cli:bob").credentials
    rotated = accounts.rotate(made.instance_id, overlap=60, actor="api:127.0.0.1").credentials
    accounts.revoke(made.instance_id, actor="cli:ann")
    admin_key = accounts.make_admin_key(actor="server")
    accounts.note("cli:ann", "instance.erase", made.instance_id, events=7)
    acts = accounts.acts()
    assert [(act.actor, act.action) for act in acts] == [
        ("cli:ann", "instance.erase"),
        ("server", "admin_key.create"),
        ("cli:ann", "key.revoke"),
        ("api:127.0.0.1", "key.rotate"),
        ("cli:bob", "key.create"),
        ("cli:ann", "instance.create"),
    ]
    assert json.loads(acts[0].detail) == {"events": 7}
    assert {act.subject for act in acts} == {str(made.instance_id), ""}
    log = repr(acts)
    assert all(key not in log for key in (made.api_key, added.api_key, rotated.api_key, admin_key))
