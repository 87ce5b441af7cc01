import gzip
import http.client
import json
import re
import sys

import pytest
from support.server import ServerProcess, create_instance

from mosaic_telemetry.server.packing import coding_for

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

QUERY = "/v1/predictions?task_type=testing&model=m&provider=openai&complexity=low"


@pytest.mark.parametrize("path", [QUERY, "/v1/docs", "/v1/nothing", "/healthz"])
def test_every_answer_has_a_request_id_and_takes_one_that_is_given(server, path):
    first, second = (server.ask("GET", path)[2]["x-request-id"] for _ in range(2))
    assert re.fullmatch("[0-9a-f]{16}", first)
    assert first != second
    assert server.ask("GET", path, headers={"X-Request-ID": "my.request_id-1"})[2]["x-request-id"] == "my.request_id-1"
    for bad in ("short", "x" * 65, "with space in it", "a\tb-------"):
        assert server.ask("GET", path, headers={"X-Request-ID": bad})[2]["x-request-id"] != bad


@pytest.mark.parametrize(("path", "allowed"), [("/v1/events/batch", "OPTIONS, POST"), (QUERY, "GET, HEAD, OPTIONS"), ("/healthz", "GET, HEAD, OPTIONS")])
def test_options_tells_the_methods(server, path, allowed):
    status, _, headers = server.ask("OPTIONS", path)
    assert (status, headers["allow"]) == (204, allowed)
    assert server.ask("OPTIONS", "/v1/nothing")[0] == 404


def test_head_is_get_without_a_body(server):
    connection = server.connect()
    connection.request("HEAD", QUERY)
    answer = connection.getresponse()
    assert (answer.status, answer.headers["content-type"], answer.read()) == (200, "application/json", b"")
    assert int(answer.headers["content-length"]) > 100
    connection.close()


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("", None),
        ("identity", None),
        ("gzip", "gzip"),
        ("gzip, zstd", "zstd"),
        ("zstd;q=0.5, gzip;q=0.9", "gzip"),
        ("gzip;q=0", None),
        ("*", "zstd"),
        ("*;q=0.1, zstd;q=0", "gzip"),
        ("GZIP;q=nonsense", None),
        ("br;q=1.0, gzip ; q=0.8", "gzip"),
    ],
)
def test_the_coding_that_a_client_takes(accepted, coding):
    assert coding_for(accepted) == coding


@pytest.mark.parametrize(("coding", "unpack"), [("gzip", gzip.decompress), ("zstd", zstd.decompress)])
def test_long_answers_go_out_packed(server, coding, unpack):
    plain = fetch(server, "/v1/openapi.json")
    packed = fetch(server, "/v1/openapi.json", {"Accept-Encoding": coding})
    assert plain.headers["content-encoding"] is None
    assert packed.headers["content-encoding"] == coding
    assert "Accept-Encoding" in plain.headers["vary"]
    assert "Accept-Encoding" in packed.headers["vary"]
    assert len(packed.content) < len(plain.content) / 3
    assert json.loads(unpack(packed.content)) == json.loads(plain.content)
    assert fetch(server, "/healthz", {"Accept-Encoding": coding}).headers["content-encoding"] is None


def fetch(server, path, headers=None):
    connection = server.connect()
    connection.request("GET", path, headers=headers or {})
    answer = connection.getresponse()
    answer.content = answer.read()
    connection.close()
    return answer


def test_one_connection_serves_many_requests(server):
    connection = server.connect()
    connection.connect()
    socket = connection.sock
    for path in (QUERY, "/v1/nothing", "/healthz"):
        connection.request("GET", path)
        connection.getresponse().read()
        assert connection.sock is socket
    connection.close()


def test_pages_of_others_may_ask_for_predictions_and_nothing_else(server):
    origin = {"Origin": "https://example.org"}
    asking = {**origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    for path in (QUERY, "/v1/predictions/batch", "/v1/openapi.json"):
        status, _, headers = server.ask("OPTIONS", path, headers=asking)
        assert (status, headers["access-control-allow-origin"]) == (204, "*")
        assert "Content-Type" in headers["access-control-allow-headers"]
    assert server.ask("GET", QUERY, headers=origin)[2]["access-control-allow-origin"] == "*"
    for path in ("/v1/events/batch", "/v1/admin/instances", "/v1/totals", "/healthz", "/metrics"):
        for method in ("OPTIONS", "GET"):
            assert "access-control-allow-origin" not in server.ask(method, path, headers=asking)[2], path


def test_a_prediction_has_a_tag_by_which_it_is_not_sent_twice(server):
    status, body, headers = server.ask("GET", QUERY)
    assert status == 200
    assert "max-age" in headers["cache-control"]
    again, nothing, same = server.ask("GET", QUERY, headers={"If-None-Match": f'"x", {headers["etag"]}'})
    assert (again, same["etag"]) == (304, headers["etag"])
    assert not nothing
    assert server.ask("GET", QUERY, headers={"If-None-Match": '"other"'})[1]["metadata"]["sample_size"] == body["metadata"]["sample_size"]
    assert server.ask("GET", QUERY, headers={"If-None-Match": "*"})[0] == 304


@pytest.fixture(scope="module")
def public(tmp_path_factory):
    """A server with the settings of a public one behind a proxy."""
    database = tmp_path_factory.mktemp("public") / "t.db"
    options = ["--public", "--trusted-proxies", "127.0.0.0/8", "--address-rate", "0.5", "--address-burst", "3", "--key-rate", "0.5", "--key-burst", "2"]
    access = create_instance(database)
    with ServerProcess(database, *options, "--cors-origins", "https://a.example") as process:
        process.access = access
        process.admin_key = process.process.stdout.readline().split()[2]
        yield process


def ask(process, path, **headers):
    host, port = process.url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text, answer.headers


def test_too_many_requests_of_an_address_are_refused_until_it_may_again(public):
    answers = [ask(public, QUERY, X_Forwarded_For="192.0.2.1") for _ in range(4)]
    assert [status for status, _, _ in answers] == [200, 200, 200, 429]
    assert [headers["ratelimit"].partition(";t")[0] for _, _, headers in answers] == [f'"address";r={left}' for left in (2, 1, 0, 0)]
    _, text, headers = answers[3]
    assert headers["ratelimit-policy"] == '"address";q=3;w=6'
    assert headers["retry-after"] in {"1", "2"}
    assert "from this address" in json.loads(text)["error"]
    assert ask(public, QUERY, X_Forwarded_For="192.0.2.2")[0] == 200
    assert ask(public, QUERY, X_Forwarded_For="evil, 192.0.2.1")[0] == 429  # what stands before the proxy's own entry is anybody's claim
    assert ask(public, "/healthz", X_Forwarded_For="192.0.2.1")[0] == 200


def test_too_many_requests_with_a_key_are_refused(public):
    answers = [ask(public, "/v1/totals", Authorization=f"Bearer {public.access.api_key}", X_Forwarded_For=f"192.0.2.{100 + number}") for number in range(3)]
    assert [status for status, _, _ in answers] == [200, 200, 429]
    assert '"key";r=0' in answers[2][2]["ratelimit"]
    assert '"address";r=2' in answers[2][2]["ratelimit"]
    assert answers[2][2]["retry-after"] in {"1", "2"}
    assert "with this API key" in json.loads(answers[2][1])["error"]


def test_metrics_of_a_public_server_need_the_admin_key(public):
    assert ask(public, "/metrics")[0] == 401
    status, text, _ = ask(public, "/metrics", Authorization=f"Bearer {public.admin_key}")
    assert (status, "mosaic_telemetry_requests_total" in text) == (200, True)


def test_named_origins_alone_may_ask(public):
    allowed = ask(public, QUERY, Origin="https://a.example", X_Forwarded_For="192.0.2.50")[2]
    assert (allowed["access-control-allow-origin"], "Origin" in allowed["vary"]) == ("https://a.example", True)
    other = ask(public, QUERY, Origin="https://b.example", X_Forwarded_For="192.0.2.50")[2]
    assert (other["access-control-allow-origin"], "Origin" in other["vary"]) == (None, True)


def test_without_a_trusted_proxy_its_header_is_anybodys_claim(tmp_path):
    with ServerProcess(tmp_path / "t.db", "--address-rate", "0.1", "--address-burst", "1") as process:
        assert [ask(process, QUERY, X_Forwarded_For=f"192.0.2.{number}")[0] for number in range(2)] == [200, 429]
