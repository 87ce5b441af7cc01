"""Packed bodies, and the limits of size that hold for them too."""

import gzip
import json
import sys
import zlib
from pathlib import Path

import pytest

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PACKERS = {"gzip": gzip.compress, "x-gzip": gzip.compress, "GZIP": gzip.compress, "zstd": zstd.compress, "identity": bytes}


def post(server, body, coding, path="/v1/events/batch"):
    return server.ask("POST", path, body, {**server.key, "Content-Encoding": coding})


@pytest.mark.parametrize("coding", PACKERS)
def test_packed_batches_are_taken(server, coding):
    body = json.dumps({"events": [server.event() for _ in range(100)]}).encode()
    status, answer, headers = post(server, PACKERS[coding](body), coding)
    assert (status, answer["accepted"]) == (202, 100)
    assert headers["accept-encoding"] == "gzip, zstd"


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_packed_queries_are_taken(server, coding):
    query = {"task_type": "planning", "model": "m", "provider": "openai", "complexity": "low"}
    body = json.dumps({"queries": [query]}).encode()
    status, answer, headers = post(server, PACKERS[coding](body), coding, "/v1/predictions/batch")
    assert (status, len(answer["results"])) == (200, 1)
    assert "gzip" in headers["accept-encoding"]


def test_several_members_one_after_the_other_are_one_body(server):
    body = json.dumps({"events": [server.event()]}).encode()
    status, answer, _ = post(server, gzip.compress(body[:100]) + gzip.compress(body[100:]), "gzip")
    assert (status, answer["accepted"]) == (202, 1)


@pytest.mark.parametrize("path", ["/v1/events/batch", "/v1/predictions/batch"])
@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_bomb_is_refused_at_the_limit(server, coding, path):
    """A gigabyte of spaces in 1 MB (gzip) or 32 kB (zstd): whoever unpacked all of it would need seconds, and the memory."""
    if coding == "gzip":
        packer = zlib.compressobj(9, wbits=31)
        megabyte = b" " * (1 << 20)
        bomb = b"".join(packer.compress(megabyte) for _ in range(900)) + packer.flush()
        assert len(bomb) < 1 << 20
    else:
        bomb = zstd.compress(b" " * (300 << 20))
    before = resident(server)
    status, answer, _ = post(server, bomb, coding, path)
    assert status == 413
    assert list(answer) == ["error"]
    assert resident(server) - before < 50 << 20
    assert server.ask("GET", "/healthz")[0] == 200


def resident(server):
    """The largest memory that the process ever had, in bytes; 0 where that cannot be seen."""
    try:
        lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    except FileNotFoundError:
        return 0
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def test_a_frame_that_asks_for_a_window_of_gigabytes_is_refused(server):
    options = {zstd.CompressionParameter.window_log: 27, zstd.CompressionParameter.enable_long_distance_matching: 1}
    packer = zstd.ZstdCompressor(options=options)
    frame = packer.compress(b" " * 1000) + packer.flush()  # without its size in the header, it names the whole window
    assert post(server, frame, "zstd")[0] == 400


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
@pytest.mark.parametrize("damage", [lambda body: body[:-5], lambda _: b"", lambda _: b"{}", lambda body: body + b"x"])
def test_what_is_not_packed_as_it_says_is_said_in_one_line(server, coding, damage):
    body = damage(PACKERS[coding](json.dumps({"events": [server.event()]}).encode()))
    status, answer, _ = post(server, body, coding)
    assert status == 400
    assert coding in answer["error"]
    assert "\n" not in answer["error"]


@pytest.mark.parametrize("coding", ["br", "gzip, gzip", "deflate", "x" * 500, "\xff"])
def test_an_unknown_coding_is_refused_with_those_that_are_known(server, coding):
    status, answer, headers = post(server, b"{}", coding)
    assert status == 415
    assert headers["accept-encoding"] == "gzip, zstd"
    assert "gzip, zstd" in answer["error"]
    assert len(answer["error"]) < 200


def test_json_that_is_nested_without_end_is_an_answer(server):
    for depth in (600, 5_000, 200_000):
        for text in ("[" * depth, '{"events": ' + "[" * depth + "]" * depth + "}", '{"x":' * depth):
            status, answer, _ = server.ask("POST", "/v1/events/batch", text, server.key)
            if status == 202:  # not too deep to be read: an event that is no event
                assert (answer["accepted"], answer["rejected"]) == (0, 1)
            else:
                assert status in {400, 422}, depth
                assert len(answer["error"]) < 500
