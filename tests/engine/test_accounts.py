import hashlib
import re
from uuid import uuid4

import pytest

from mosaic_telemetry.engine import UnknownInstanceError, open_engine


def test_a_key_is_64_hexadecimal_characters_and_only_its_hash_is_kept(house):
    credentials = house.engine.create_instance("one")
    assert re.fullmatch("[0-9a-f]{64}", credentials.api_key)
    assert credentials.api_key not in repr(credentials)
    house.engine.close()
    kept = b"".join(file.read_bytes() for file in house.path.parent.iterdir())
    assert credentials.api_key.encode() not in kept
    assert bytes.fromhex(credentials.api_key) not in kept
    assert hashlib.sha256(credentials.api_key.encode()).digest() in kept


@pytest.mark.parametrize("key", ["", "x", "0" * 64, "\ud800", "a" * 10_000])
def test_an_unknown_key_is_nobodys(house, key):
    assert house.engine.authenticate(key) is None


def test_a_key_that_another_process_made_or_revoked_counts_at_once(house):
    with open_engine(house.path) as other:
        credentials = other.create_instance("two")
        assert house.engine.authenticate(credentials.api_key).name == "two"
        assert other.revoke(credentials.instance_id) == 1
        assert house.engine.authenticate(credentials.api_key) is None


def test_rotating_replaces_the_key(house):
    old = house.engine.create_instance("three")
    new = house.engine.rotate_key(old.instance_id)
    assert new.instance_id == old.instance_id
    assert house.engine.authenticate(old.api_key) is None
    assert house.engine.authenticate(new.api_key).instance_id == old.instance_id


def test_an_unknown_instance_is_named(house):
    unknown = uuid4()
    for act in (house.engine.rotate_key, house.engine.revoke):
        with pytest.raises(UnknownInstanceError, match=str(unknown)):
            act(unknown)


def test_instances_are_listed_oldest_first_with_their_working_keys(house):
    second = house.engine.create_instance("second")
    house.engine.revoke(second.instance_id)
    assert [(instance.name, instance.keys) for instance in house.engine.instances()] == [("test", 1), ("second", 0)]


def test_there_is_one_local_instance_without_a_key(house):
    first = house.engine.local_instance()
    assert first == house.engine.local_instance()
    assert first.local
    assert first.keys == 0
