"""Rate limits at the door: 429 with `Retry-After`, and what is left in the fields of draft-ietf-httpapi-ratelimit-headers-10."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mosaic_telemetry.engine import ApiKey, Engine
from mosaic_telemetry.engine.limits import Verdict
from mosaic_telemetry.server.errors import ApiError
from mosaic_telemetry.server.metrics import Metrics
from mosaic_telemetry.server.settings import Settings

__all__ = ["AddressLimit", "bucket_of", "take_for_key"]

_VERDICTS = "mosaic_telemetry.verdicts"
_OPEN = frozenset({"/healthz", "/readyz", "/metrics"})
_SUBNET = 64


def bucket_of(address: str) -> str:
    """The bucket of an address: an IPv4 address has its own, an IPv6 address shares that of its /64, which is what one customer is given."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return f"address:{address}"
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped:
            return f"address:{found.ipv4_mapped}"
        return f"address:{IPv6Address(int(found) >> _SUBNET << _SUBNET)}/{_SUBNET}"
    return f"address:{found}"


def take_for_key(scope: Scope, engine: Engine, settings: Settings, metrics: Metrics | None, key: ApiKey) -> None:
    """Hold a request against the limit of its API key.

    Raises:
        ApiError: 429.
    """
    limit = settings.key_limit
    if limit is None:
        return
    verdict = engine.limiter.take(f"key:{key.number}", limit)
    scope.setdefault(_VERDICTS, []).append(("key", verdict))
    if not verdict.allowed:
        if metrics:
            metrics.limited("key")
        raise ApiError(429, _refusal("with this API key", verdict), {"Retry-After": str(verdict.retry_after)})


class AddressLimit:
    """Middleware that holds requests against the limit of the address that they come from, and tells in each answer what is left.

    Args:
        app: what answers.
        engine: whose limiter counts.
        settings: the limit.
        metrics: where refusals are counted; None for nowhere.
    """

    def __init__(self, app: ASGIApp, engine: Engine, settings: Settings, metrics: Metrics | None) -> None:
        self._app = app
        self._engine = engine
        self._limit = settings.address_limit
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _OPEN:
            await self._app(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start" and (verdicts := scope.get(_VERDICTS)):
                message = {**message, "headers": [*message.get("headers", []), *_fields(verdicts)]}
            await send(message)

        client = scope.get("client")
        if self._limit and client:
            verdict = self._engine.limiter.take(bucket_of(client[0]), self._limit)
            scope[_VERDICTS] = [("address", verdict)]
            if not verdict.allowed:
                if self._metrics:
                    self._metrics.limited("address")
                body = {"error": _refusal("from this address", verdict)}
                await JSONResponse(body, 429, {"Retry-After": str(verdict.retry_after)})(scope, receive, answer)
                return
        await self._app(scope, receive, answer)


def _refusal(whose: str, verdict: Verdict) -> str:
    return f"too many requests {whose}: {verdict.limit.rate:g} a second are allowed, {verdict.limit.burst} at once; try again in {verdict.retry_after} s"


def _fields(verdicts: list[tuple[str, Verdict]]) -> list[tuple[bytes, bytes]]:
    policy = ", ".join(f'"{name}";q={verdict.limit.burst};w={max(1, round(verdict.limit.burst / verdict.limit.rate))}' for name, verdict in verdicts)
    left = ", ".join(f'"{name}";r={verdict.left};t={verdict.full_after}' for name, verdict in verdicts)
    return [(b"ratelimit-policy", policy.encode()), (b"ratelimit", left.encode())]
