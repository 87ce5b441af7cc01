"""What an operator can set: one table, from which come the flags of `serve`, the environment's variables, the TOML file and the documents.

A field's metadata holds its help; its type says how a text is read. A value is looked for on the command line, then in the
environment, then in the file, then it is the default.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from mosaic_telemetry.engine import TRIAL_DAYS
from mosaic_telemetry.engine.limits import Limit
from mosaic_telemetry.server.patience import Patience

__all__ = ["LOG_FORMATS", "LOG_LEVELS", "PREFIX", "Settings", "SettingsError", "read_file"]

PREFIX = "MOSAIC_TELEMETRY_"
LOG_LEVELS = ("debug", "info", "warning", "error")
LOG_FORMATS = ("text", "json")

_SLOWEST_SECONDS = 3600
_MOST_CONNECTIONS = 1_000_000
_PATIENCE = Patience()


class SettingsError(ValueError):
    """A setting that cannot be; one line that names it."""


def _setting(default: Any, about: str, *, secret: bool = False, choices: tuple[str, ...] = (), bounds: tuple[int, int | None] | None = None) -> Any:
    return field(default=default, metadata={"about": about, "secret": secret, "choices": choices, "bounds": bounds or (None, None)}, repr=not secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a server behaves. The help of each value stands in its metadata.

    Raises:
        SettingsError: a value cannot be.
    """

    host: str = _setting("127.0.0.1", "Address to listen on; 0.0.0.0 for every one of this machine.")
    port: int = _setting(8000, "Port to listen on; 0 for any free one.", bounds=(0, 65535))
    workers: int = _setting(1, "Processes that answer requests. From 2 on one more keeps the statistics, and one watches over all of them.", bounds=(1, 64))
    public: bool = _setting(
        default=False,
        about="For instances that do not know each other: none counts for more than 20 tasks in a prediction, and fewer than 5 are not shown. "
        "Limits are on, and /metrics needs the admin key.",
    )
    trial_days: float = _setting(TRIAL_DAYS, "With --public: days after its creation in which the events of an instance do not count.", bounds=(0, None))
    keep_days: float | None = _setting(
        None,
        "Delete events so long after receipt, but not before they have left the 180 days that predictions look back. By default they are kept.",
        bounds=(0, None),
    )
    log_level: str = _setting("warning", "Least level that is logged; requests are logged at info.", choices=LOG_LEVELS)
    log_format: str = _setting("text", "Form of the log on standard error: lines for a person, or one JSON object a line.", choices=LOG_FORMATS)
    admin_key: str = _setting("", "Key for /v1/admin; without it the one that was made at the first start.", secret=True)
    trusted_proxies: str = _setting(
        "", "Addresses or networks of proxies, comma-separated, whose X-Forwarded-For is believed; by default none: the address of a connection counts."
    )
    cors_origins: str = _setting(
        "*", "Origins whose pages may ask for predictions, comma-separated; * for all, empty for none. Other endpoints never allow it."
    )
    key_rate: float | None = _setting(
        None, "Requests a second that one API key may make in the long run; 0 for no limit. By default 0, with --public 10.", bounds=(0, None)
    )
    key_burst: int | None = _setting(None, "Requests that one API key may make at once. By default 10 seconds' worth.", bounds=(1, None))
    address_rate: float | None = _setting(
        None, "Requests a second that one address (IPv6: one /64) may make in the long run; 0 for no limit. By default 0, with --public 20.", bounds=(0, None)
    )
    address_burst: int | None = _setting(None, "Requests that one address may make at once. By default 10 seconds' worth.", bounds=(1, None))
    header_seconds: float = _setting(
        _PATIENCE.head, "Seconds that a client has for the headers of a request, and from the opening of a connection.", bounds=(0, None)
    )
    body_seconds: float = _setting(_PATIENCE.body, "Seconds that a client has for the body of a request.", bounds=(0, None))
    answer_seconds: float = _setting(_PATIENCE.answer, "Seconds that a client may leave an answer unread before the connection is cut.", bounds=(0, None))
    connections: int = _setting(_PATIENCE.connections, "Connections that each worker holds at most; more are answered 503.", bounds=(1, _MOST_CONNECTIONS))
    otlp: bool = _setting(default=False, about="Take the OpenTelemetry of Claude Code, Codex and Gemini CLI as well: /v1/logs, /v1/metrics.")
    otlp_quiet: float = _setting(900.0, "Seconds without a word after which a task that came by --otlp counts as finished.", bounds=(0, None))
    metrics: bool = _setting(default=True, about="Whether /metrics is there, for Prometheus.")
    trace_endpoint: str = _setting(
        "",
        "Address to send OpenTelemetry traces to, by OTLP over HTTP, such as http://localhost:4318; by default to OTEL_EXPORTER_OTLP_ENDPOINT, or nowhere.",
    )

    def __post_init__(self) -> None:
        for name, lowest, highest in (("port", 0, 65535), ("workers", 1, 64), ("connections", 1, _MOST_CONNECTIONS)):
            if not lowest <= getattr(self, name) <= highest:
                raise SettingsError(f"{name}: {getattr(self, name)} is none; give {lowest} to {highest}")
        for name in ("otlp_quiet", "keep_days", "header_seconds", "body_seconds", "answer_seconds"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise SettingsError(f"{name}: {value:g} is none; give a time above 0")
        for name, choices in (("log_level", LOG_LEVELS), ("log_format", LOG_FORMATS)):
            if getattr(self, name) not in choices:
                raise SettingsError(f"{name}: {getattr(self, name)!r} is none; give one of {', '.join(choices)}")
        if self.admin_key and len(self.admin_key) < 32:
            raise SettingsError("admin_key: it is too short to be safe; give at least 32 characters, such as `mosaic-telemetry admin create-admin-key` makes")
        _check_endpoint(self.trace_endpoint)
        _check_networks(self.proxies)
        for whose, limit in (("key", self.key_limit), ("address", self.address_limit)):
            if limit and limit.burst / limit.rate > _SLOWEST_SECONDS:
                raise SettingsError(
                    f"{whose}_rate: a burst of {limit.burst} at {limit.rate:g} a second takes above an hour to come back; give a higher rate or a lower burst"
                )

    @property
    def proxies(self) -> list[str]:
        """The trusted proxies, one by one."""
        return _listed(self.trusted_proxies)

    @property
    def origins(self) -> list[str]:
        """The origins that may ask for predictions, one by one."""
        return _listed(self.cors_origins)

    @property
    def patience(self) -> Patience:
        """How long clients are waited for, and how many are held."""
        return Patience(self.header_seconds, self.body_seconds, self.answer_seconds, self.connections)

    @property
    def key_limit(self) -> Limit | None:
        """How many requests one API key may make."""
        return _limit(self.key_rate, self.key_burst, 10.0 if self.public else 0.0)

    @property
    def address_limit(self) -> Limit | None:
        """How many requests one address may make."""
        return _limit(self.address_rate, self.address_burst, 20.0 if self.public else 0.0)


def _check_endpoint(endpoint: str) -> None:
    if endpoint and not endpoint.startswith(("http://", "https://")):
        raise SettingsError("trace_endpoint: it begins neither with http:// nor with https://; give an address such as http://localhost:4318")


def _check_networks(networks: list[str]) -> None:
    for network in networks:
        try:
            ip_network(network, strict=False)
        except ValueError:
            raise SettingsError(f"trusted_proxies: {network!r} is no address or network such as 10.0.0.0/8") from None


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _limit(rate: float | None, burst: int | None, default: float) -> Limit | None:
    rate = default if rate is None else rate
    return Limit(rate, burst or max(1, round(10 * rate))) if rate else None


def read_file(path: Path, known: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The settings in a TOML file, by their names in the table.

    Args:
        path: the file.
        known: names beside those of the table.

    Raises:
        SettingsError: it cannot be read, is no TOML, or names what is no setting.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is no TOML: {error}") from error
    names = known | {item.name for item in fields(Settings)}
    for name, value in values.items():
        if name not in names:
            near = get_close_matches(name, names, 1)
            raise SettingsError(f"{path}: there is no setting {name}; {f'did you mean {near[0]}?' if near else 'there are ' + ', '.join(sorted(names))}")
        if isinstance(value, list):
            values[name] = ",".join(map(str, value))
        elif not isinstance(value, str | int | float | bool):
            raise SettingsError(f"{path}: {name} is no text, number, truth value or list of them")
    return values
