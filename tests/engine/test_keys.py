import ast
import asyncio
import hmac
import re
import string
import uuid
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mosaic_telemetry
from mosaic_telemetry.engine.accounts import Accounts
from mosaic_telemetry.engine.keys import KeyKind, digest_of, hint_of, kind_of, new_key, same
from mosaic_telemetry.engine.store import ApiKey, FoundKey, Instance

SOURCES = Path(mosaic_telemetry.__file__).parent
SECRET = re.compile(r"(?i)(digest|signature|secret|api_key|admin_key|token)s?\b(?!_of)")


@pytest.mark.parametrize("kind", list(KeyKind))
def test_a_key_is_64_hexadecimal_characters_that_say_what_it_is(kind):
    keys = {new_key(kind) for _ in range(100)}
    assert len(keys) == 100
    for key in keys:
        assert re.fullmatch("[0-9a-f]{64}", key)
        assert kind_of(key) is kind
        assert key.endswith(hint_of(key))
        assert len(hint_of(key)) == 6


@given(st.integers(0, 63), st.sampled_from(string.hexdigits.lower()))
def test_one_mistyped_character_shows(place, character):
    key = new_key(KeyKind.API)
    mistyped = key[:place] + character + key[place + 1 :]
    assert (kind_of(mistyped) is KeyKind.API) == (mistyped == key)


@given(st.text())
def test_no_text_is_too_strange_to_be_looked_at(text):
    assert kind_of(text) is None
    assert len(digest_of(text + "\ud800")) == 32


@given(st.binary(min_size=32, max_size=32), st.integers(0, 255))
def test_digests_are_the_same_only_where_every_bit_is(digest, bit):
    other = bytearray(digest)
    other[bit // 8] ^= 1 << bit % 8
    assert same(digest, bytes(digest))
    assert not same(digest, bytes(other))


def comparisons(source):
    """What is compared with == and the like in a piece of Python, where one side is called like a secret and the other is no constant."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare) and any(isinstance(kind, (ast.Eq, ast.NotEq, ast.In, ast.NotIn)) for kind in node.ops):
            sides = (node.left, *node.comparators)
            if any(SECRET.search(ast.unparse(side)) for side in sides) and not any(isinstance(side, ast.Constant) for side in sides):
                found.append(ast.unparse(node))
    return found


def test_no_secret_is_compared_by_what_stops_at_the_first_difference():
    """Secrets go through `same` or `hmac.compare_digest`; a key is looked up by its SHA-256, whose characters nobody can choose."""
    assert comparisons("if api_key == kept or found.digest != digest: ...") == ["api_key == kept", "found.digest != digest"]
    assert "compare_digest" in (SOURCES / "engine/keys.py").read_text()
    assert same.__code__.co_names == (hmac.__name__, "compare_digest")
    files = [path for room in ("engine", "server") for path in (SOURCES / room).rglob("*.py") if "federation" not in path.parts]
    assert len(files) > 100
    assert {path.name: found for path in files if (found := comparisons(path.read_text()))} == {}


def test_a_store_that_finds_another_key_than_the_one_asked_for_lets_nobody_in():
    """Such as one whose look-up takes no notice of the case of letters."""
    key, other = new_key(KeyKind.API), new_key(KeyKind.API)
    kept = FoundKey(ApiKey(1, 1, "", "", 0, None, None), digest_of(key), Instance(1, uuid.uuid4(), "laptop", 0))
    found = Future()
    found.set_result(kept)
    accounts = Accounts(SimpleNamespace(find_key=lambda _: found), lambda: 1.0)
    assert accounts.find(key) is kept
    assert accounts.find(other) is None
    assert asyncio.run(accounts.afind(key)) is kept
    assert asyncio.run(accounts.afind(other)) is None
