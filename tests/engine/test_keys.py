import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mosaic_telemetry.engine.keys import KeyKind, digest_of, hint_of, kind_of, new_key


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
