"""Asking a server for JSON, with its errors in one line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import click

__all__ = ["ask_server"]

_SECONDS = 30.0


def ask_server(url: str, path: str, *, query: Mapping[str, str | None] | None = None, api_key: str | None = None, method: str = "GET", body: Any = None) -> Any:
    """The JSON that a server answers with; None where it answers without a body.

    Args:
        url: the server.
        path: the path below it, such as `/v1/totals`.
        query: parameters of the URL; those that are None are left out.
        api_key: sent as a bearer token.
        method: the HTTP method.
        body: sent as JSON, unless it is None.

    Raises:
        click.ClickException: no URL, no answer, no success, or no JSON; the text says which.
    """
    from mosaic_telemetry._version import __version__
    from mosaic_telemetry.client.errors import TransportError
    from mosaic_telemetry.client.transport import HTTPTransport

    if not url.startswith(("http://", "https://")):
        raise click.UsageError(f"--server: {url!r} is not a URL such as http://localhost:8000")
    given = {name: value for name, value in (query or {}).items() if value is not None}
    headers = {"Accept": "application/json", "User-Agent": f"mosaic-telemetry-cli/{__version__}"}
    if api_key:
        headers["Authorization"] = f"Bearer {api_key}"
    sent = None
    if body is not None:
        headers["Content-Type"] = "application/json"
        sent = json.dumps(body).encode()
    try:
        transport = HTTPTransport(url)
        try:
            reply = transport.request(method, f"{path}?{urlencode(given)}" if given else path, sent, headers, _SECONDS)
        finally:
            transport.close()
    except (TransportError, ValueError) as error:
        raise click.ClickException(f"no answer from {url}: {error}; is the server running there?") from error
    try:
        answer = json.loads(reply.body) if reply.body else None
    except ValueError as error:
        raise click.ClickException(f"{url}{path} answered {reply.status} with something that is no JSON; is it a mosaic-telemetry server?") from error
    if not 200 <= reply.status < 300:
        said = answer.get("error") if isinstance(answer, dict) else None
        raise click.ClickException(f"{url}{path}: HTTP {reply.status}: {said or 'no reason given'}")
    return answer
