"""The way to the server: TLS with certificates of one's own, and proxies."""

import os
import ssl

import pytest
import trustme
from support.relays import Proxy, TLSFront

from mosaic_telemetry import TransportError


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    """The settings of this machine are not what is tested."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def ca_file(authority, tmp_path):
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
def tls(server, authority):
    """`server`, as it speaks TLS on another port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    with TLSFront(server._server.server_address[1], context) as front:
        yield front


@pytest.fixture
def new_proxy(server):
    """Starts proxies; plain HTTP through them goes to `server`."""
    made = []

    def make(**options):
        made.append(Proxy(server._server.server_address[1], **options))
        return made[-1]

    yield make
    for proxy in made:
        proxy.__exit__()


# --- TLS --------------------------------------------------------------------------------------------------------------


def test_a_certificate_of_nobody_known_is_refused_and_loses_nothing(new_client, server, tls, errors, new_event):
    client = new_client(server_url=f"https://127.0.0.1:{tls.port}", max_retries=0)
    client.track(new_event())
    assert not client.flush(20)
    assert client.queue_size == 1
    assert server.requests == []
    assert isinstance(errors[0], TransportError)
    assert "certificate verify failed" in str(errors[0])
    assert bytes(server.api_key, "ascii") not in tls.passed


def test_a_certificate_of_ones_own(new_client, server, tls, errors, new_event, ca_file):
    client = new_client(server_url=f"https://127.0.0.1:{tls.port}", ca_file=ca_file, batch_size=1)
    for _ in range(3):
        client.track(new_event())
    assert client.flush(20)
    assert len(server.events) == 3
    assert errors == []


def test_ssl_cert_file(new_client, server, tls, new_event, ca_file, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    client = new_client(server_url=f"https://localhost:{tls.port}")
    client.track(new_event())
    assert client.flush(20)
    assert len(server.events) == 1


def test_a_certificate_for_another_name_is_refused(new_client, server, errors, new_event, authority, ca_file):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("elsewhere.example").configure_cert(context)
    with TLSFront(server._server.server_address[1], context) as front:
        client = new_client(server_url=f"https://localhost:{front.port}", ca_file=ca_file, max_retries=0)
        client.track(new_event())
        assert not client.flush(20)
    assert server.requests == []
    assert "localhost" in str(errors[0])


def test_a_ca_file_that_is_not_there_is_told_and_loses_nothing(new_client, tls, errors, new_event, tmp_path):
    client = new_client(server_url=f"https://127.0.0.1:{tls.port}", ca_file=tmp_path / "none.pem", max_retries=0)
    client.track(new_event())
    assert not client.flush(20)
    assert client.queue_size == 1
    assert len(errors) == 1
    assert str(errors[0]).isprintable()


# --- proxies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_http_through_a_proxy(new_client, server, new_proxy, new_event, monkeypatch, variable):
    proxy = new_proxy()
    monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy.port}")
    client = new_client(server_url="http://telemetry.example:8000/below", batch_size=1)
    for _ in range(3):
        client.track(new_event())
    assert client.flush(20)
    assert [request.path for request in server.requests] == ["http://telemetry.example:8000/below/v1/events/batch"] * 3
    assert server.requests[0].headers["host"] == "telemetry.example:8000"
    assert len(proxy.heads) == 1, "one connection for all of it"


def test_https_through_a_proxy_that_learns_nothing(new_client, server, tls, new_proxy, new_event, ca_file, monkeypatch):
    proxy = new_proxy()
    monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{proxy.port}")
    client = new_client(server_url=f"https://localhost:{tls.port}", ca_file=ca_file)
    client.track(new_event())
    assert client.flush(20)
    assert len(server.events) == 1
    assert proxy.heads[0].splitlines()[0] == f"CONNECT localhost:{tls.port} HTTP/1.1"
    assert bytes(server.api_key, "ascii") not in proxy.passed + proxy.heads[0].encode()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_a_password(new_client, server, tls, new_proxy, new_event, ca_file, monkeypatch, scheme):
    proxy = new_proxy(wants="Basic bWU6cEBzcw==")  # me:p@ss
    monkeypatch.setenv("ALL_PROXY", f"http://me:p%40ss@127.0.0.1:{proxy.port}")
    url = f"https://localhost:{tls.port}" if scheme == "https" else server.url
    client = new_client(server_url=url, ca_file=ca_file)
    client.track(new_event())
    assert client.flush(20)
    assert len(server.events) == len(proxy.heads) == 1


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_refuses_is_told_and_loses_nothing(new_client, server, tls, errors, new_proxy, new_event, ca_file, monkeypatch, scheme):
    proxy = new_proxy(wants="Basic x")
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{proxy.port}")
    url = f"https://localhost:{tls.port}" if scheme == "https" else server.url
    client = new_client(server_url=url, ca_file=ca_file, max_retries=0)
    client.track(new_event())
    assert not client.flush(20)
    assert client.queue_size == 1
    assert server.requests == []
    assert "407" in str(errors[0])


@pytest.mark.parametrize("exceptions", ["127.0.0.1", "*", "localhost,127.0.0.1"])
def test_no_proxy(new_client, server, dead_url, new_event, monkeypatch, exceptions):
    monkeypatch.setenv("HTTP_PROXY", dead_url)
    monkeypatch.setenv("NO_PROXY", exceptions)
    client = new_client()
    client.track(new_event())
    assert client.flush(20)
    assert [request.path for request in server.requests] == ["/v1/events/batch"]
