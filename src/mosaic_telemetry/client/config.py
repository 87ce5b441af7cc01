"""Configuration: what a caller says, and what it comes to once every default is applied."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from mosaic_telemetry.schema import MAX_BATCH_EVENTS, FieldError, ValidationError
from mosaic_telemetry.schema.record import field, record

__all__ = ["VARIABLES", "ResolvedConfig", "TelemetryConfig", "do_not_track", "resolve_config"]

ErrorHandler = Callable[[Exception], object]


class _StateDirectory:
    """Stands for the user's state directory, which is looked up when a configuration is resolved."""

    def __repr__(self) -> str:
        return "STATE_DIRECTORY"

    def __reduce__(self) -> str:
        return "STATE_DIRECTORY"


STATE_DIRECTORY = _StateDirectory()

_TEXTS = ("server_url", "api_key", "instance_id")
_FALSE = frozenset({"0", "false", "no"})

# Field to the variables it is read from: ours first, then the alias of the peer SDK's documents.
VARIABLES = {
    "server_url": ("MOSAIC_TELEMETRY_SERVER_URL", "TELEMETRY_API_URL"),
    "api_key": ("MOSAIC_TELEMETRY_API_KEY", "TELEMETRY_API_KEY"),
    "instance_id": ("MOSAIC_TELEMETRY_INSTANCE_ID", "TELEMETRY_INSTANCE_ID"),
    "enabled": ("MOSAIC_TELEMETRY_ENABLED", "TELEMETRY_ENABLED"),
    "submit_interval": ("MOSAIC_TELEMETRY_SUBMIT_INTERVAL",),
    "max_queue_size": ("MOSAIC_TELEMETRY_MAX_QUEUE_SIZE",),
    "batch_size": ("MOSAIC_TELEMETRY_BATCH_SIZE",),
    "request_timeout": ("MOSAIC_TELEMETRY_REQUEST_TIMEOUT",),
    "prediction_cache_ttl": ("MOSAIC_TELEMETRY_PREDICTION_CACHE_TTL",),
    "dry_run": ("MOSAIC_TELEMETRY_DRY_RUN",),
    "max_retries": ("MOSAIC_TELEMETRY_MAX_RETRIES",),
    "ca_file": ("MOSAIC_TELEMETRY_CA_FILE",),
    "prediction_stale_ttl": ("MOSAIC_TELEMETRY_PREDICTION_STALE_TTL",),
    "prediction_cache_file": ("MOSAIC_TELEMETRY_PREDICTION_CACHE_FILE",),
    "max_retry_after": ("MOSAIC_TELEMETRY_MAX_RETRY_AFTER",),
    "spool_dir": ("MOSAIC_TELEMETRY_SPOOL_DIR",),
}


def _text_problem(name: str, value: Any, *, required: bool) -> str | None:
    """What is wrong with a text setting, or None."""
    if not isinstance(value, str):
        return "text"
    if not value.strip():
        return f"set: give it, or set {VARIABLES[name][0]}" if required else None
    if not value.strip().isprintable():
        return "free of control characters"
    return _url_problem(value) if name == "server_url" else None


def _url_problem(value: str) -> str | None:
    from urllib.parse import urlsplit  # 2 ms of import that a program pays which reports, not one that could

    try:
        parts = urlsplit(value.strip())
        port = parts.port
    except ValueError:
        return "a URL with a host and a port from 1 to 65535"
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0 or any(c.isspace() for c in value.strip()):
        return "a URL such as http://localhost:8000"
    return "a URL without a query or fragment" if parts.query or parts.fragment else None


@record()
class TelemetryConfig:
    """Settings of a `TelemetryClient`. Durations are seconds; every positive number is one.

    Attributes:
        server_url: where the server is; slashes at its end make no difference.
        api_key: key of the instance. Not shown by `repr`.
        instance_id: which installation reports.
        enabled: False makes every call return at once. DO_NOT_TRACK in the environment has the same effect.
        submit_interval: seconds between two background submissions.
        max_queue_size: events that wait at most; when full the oldest goes. 0 drops and counts every event.
        batch_size: events in one request at most; more than 100 counts as 100.
        request_timeout: seconds for one whole request.
        prediction_cache_ttl: seconds that a prediction is served from memory.
        dry_run: do all but the HTTP calls.
        max_retries: further tries after a failed one, within one flush.
        on_error: called with every problem, from whichever thread met it.
        spool_dir: directory in which events are kept until they are delivered, also over the death of the process; the user's
            state directory without it. None keeps them in memory only.
        ca_file: file of certificates (PEM) to trust beside the system's; SSL_CERT_FILE is honoured as well.
        prediction_stale_ttl: seconds after its time in which a prediction is still answered while it is renewed in the background; 0 for none.
        prediction_cache_file: file that keeps predictions for the next process; None for none.
        max_retry_after: seconds that a server's `Retry-After` can hold requests back at most.

    Raises:
        ValidationError: naming every setting that does not fit. While disabled, the first three may be empty.
    """

    server_url: str = field(repr=False)  # it may hold a password for a proxy in front of the server
    api_key: str = field(repr=False)
    instance_id: str
    enabled: bool = field(default=True, kw_only=True)
    submit_interval: float = field(default=300.0, kw_only=True)
    max_queue_size: int = field(default=1000, kw_only=True)
    batch_size: int = field(default=MAX_BATCH_EVENTS, kw_only=True)
    request_timeout: float = field(default=10.0, kw_only=True)
    prediction_cache_ttl: float = field(default=21_600.0, kw_only=True)
    dry_run: bool = field(default=False, kw_only=True)
    max_retries: int = field(default=3, kw_only=True)
    on_error: ErrorHandler | None = field(default=None, kw_only=True, repr=False)
    spool_dir: str | os.PathLike[str] | _StateDirectory | None = field(default=STATE_DIRECTORY, kw_only=True)
    ca_file: str | os.PathLike[str] | None = field(default=None, kw_only=True)
    max_retry_after: float = field(default=3600.0, kw_only=True)
    prediction_stale_ttl: float = field(default=0.0, kw_only=True)
    prediction_cache_file: str | os.PathLike[str] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        errors = _problems(self)
        if errors:
            raise ValidationError("TelemetryConfig", errors)

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None, **overrides: Any) -> TelemetryConfig:
        """Settings from the environment (`MOSAIC_TELEMETRY_SERVER_URL`, `_API_KEY`, `_INSTANCE_ID`, `_ENABLED`, …).

        The variables `TELEMETRY_API_URL`, `TELEMETRY_API_KEY`, `TELEMETRY_INSTANCE_ID` and `TELEMETRY_ENABLED` are read where ours
        are not set. `overrides` win over both. DO_NOT_TRACK disables whatever else is said.

        Args:
            env: the environment to read instead of the process's own.
            **overrides: settings by their names in `TelemetryConfig`.

        Raises:
            ValidationError: naming every setting that is missing or does not fit.
        """
        env = os.environ if env is None else env
        known = cls.__annotations__.keys()
        errors = [FieldError(name, value, "a setting of TelemetryConfig") for name, value in overrides.items() if name not in known]
        values: dict[str, Any] = {"server_url": "", "api_key": "", "instance_id": ""}
        for name, variables in VARIABLES.items():
            variable = next((v for v in variables if env.get(v)), None)
            if variable is None:
                continue
            try:
                values[name] = _parse(name, env[variable])
            except ValueError:
                errors.append(FieldError(variable, env[variable], "a number"))
        values.update(overrides)
        if do_not_track(env):
            values["enabled"] = False
        try:
            config = cls(**{name: value for name, value in values.items() if name in known})
        except ValidationError as error:
            errors += error.errors
        if errors:
            raise ValidationError("TelemetryConfig", errors)
        return config


def _parse(name: str, text: str) -> Any:
    """A setting's value from the text of its variable; raises ValueError."""
    if name in {"enabled", "dry_run"}:
        return text.strip().lower() not in _FALSE
    if name in {"max_queue_size", "batch_size", "max_retries"}:
        return int(text)
    if name == "spool_dir":
        return None if text.strip().lower() in {"none", "off"} else text
    if name in {*_TEXTS, "ca_file", "prediction_cache_file"}:
        return text
    return float(text)


def _problems(config: TelemetryConfig) -> list[FieldError]:
    """One error for each setting that does not fit."""
    problems: dict[str, str | None] = {name: _text_problem(name, getattr(config, name), required=config.enabled) for name in _TEXTS}
    for name in ("enabled", "dry_run"):
        problems[name] = None if isinstance(getattr(config, name), bool) else "true or false"
    for name in ("submit_interval", "request_timeout", "prediction_cache_ttl", "max_retry_after"):
        value = getattr(config, name)
        fits = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < float("inf")
        problems[name] = None if fits else "a positive number of seconds"
    for name, least in (("max_queue_size", 0), ("batch_size", 1), ("max_retries", 0)):
        value = getattr(config, name)
        fits = isinstance(value, int) and not isinstance(value, bool) and value >= least
        problems[name] = None if fits else f"a whole number of at least {least}"
    for name in ("ca_file", "prediction_cache_file"):
        value = getattr(config, name)
        problems[name] = None if value is None or (isinstance(value, (str, os.PathLike)) and value != "") else "a file, or None"
    stale: Any = config.prediction_stale_ttl
    if isinstance(stale, bool) or not isinstance(stale, (int, float)) or not 0 <= stale < float("inf"):
        problems["prediction_stale_ttl"] = "a number of seconds of at least 0"
    if not isinstance(config.spool_dir, (str, os.PathLike, _StateDirectory, type(None))) or config.spool_dir == "":
        problems["spool_dir"] = "a directory, or None"
    problems["on_error"] = None if config.on_error is None or callable(getattr(config, "on_error")) else "a function of one argument"  # noqa: B009 - untyped on purpose: callers may pass anything
    return [FieldError(name, "…" if name == "api_key" else getattr(config, name), problem) for name, problem in problems.items() if problem]


def do_not_track(env: Mapping[str, str]) -> bool:
    """Whether DO_NOT_TRACK (https://consoledonottrack.com) asks to report nothing."""
    value = env.get("DO_NOT_TRACK", "").strip().lower()
    return bool(value) and value not in _FALSE


class ResolvedConfig(TelemetryConfig):
    """A configuration with every default applied; the same fields and units as `TelemetryConfig`, paths as absolute text."""

    spool_dir: str | None
    ca_file: str | None
    prediction_cache_file: str | None

    def __post_init__(self) -> None:
        """What is resolved was valid already."""


def _spool_directory(given: str | os.PathLike[str] | _StateDirectory | None, env: Mapping[str, str]) -> str | None:
    """The directory of all spools; relative where there is no home to put it in."""
    if given is None:
        return None
    if not isinstance(given, _StateDirectory):
        return os.path.abspath(os.fsdecode(given))
    if sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Application Support")
    else:  # the XDG base directory specification
        base = env.get("XDG_STATE_HOME", "")
        if not os.path.isabs(base):  # which the specification wants to be ignored
            base = os.path.expanduser("~/.local/state")
    return os.path.join(base, "mosaic-telemetry", "spool")


def resolve_config(config: TelemetryConfig | ResolvedConfig, env: Mapping[str, str] | None = None) -> ResolvedConfig:
    """Apply every default: no slashes at the end of the URL, at most 100 events a batch, disabled where DO_NOT_TRACK says so.

    Args:
        config: the settings; one that is resolved already is returned as it is.
        env: the environment to read DO_NOT_TRACK from instead of the process's own.
    """
    if isinstance(config, ResolvedConfig):
        return config
    values = {name: getattr(config, name) for name in TelemetryConfig.__annotations__}
    values["server_url"] = config.server_url.strip().rstrip("/")
    values["api_key"] = config.api_key.strip()
    values["instance_id"] = config.instance_id.strip()
    values["batch_size"] = min(config.batch_size, MAX_BATCH_EVENTS)
    env = os.environ if env is None else env
    values["enabled"] = config.enabled and not do_not_track(env)
    for name in ("ca_file", "prediction_cache_file"):
        values[name] = None if values[name] is None else os.path.abspath(os.fsdecode(values[name]))
    values["spool_dir"] = _spool_directory(config.spool_dir, env)
    return ResolvedConfig(**values)
