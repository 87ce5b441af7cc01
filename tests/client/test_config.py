"""Settings: their bounds, their defaults, and what becomes of them."""

import math
from dataclasses import FrozenInstanceError, replace
from dataclasses import fields as fields_of
from pathlib import Path

import pytest

from mosaic_telemetry import ResolvedConfig, TelemetryClient, TelemetryConfig, ValidationError, resolve_config

ACCESS = ("http://localhost:8000", "key", "instance")


def test_the_defaults_are_those_of_the_contract():
    config = TelemetryConfig(*ACCESS)
    assert config.enabled
    assert not config.dry_run
    assert (config.submit_interval, config.max_queue_size, config.batch_size) == (300.0, 1000, 100)
    assert (config.request_timeout, config.prediction_cache_ttl, config.max_retries) == (10.0, 21_600.0, 3)
    assert config.on_error is None


GOOD = {
    "server_url": ["http://h", "https://h", "HTTP://H", "http://h:8000/base/", "http://127.0.0.1:65535", "http://[::1]:8000", " http://h ", "http://u:p@h/"],
    "api_key": ["k", "0" * 64, "a key"],
    "instance_id": ["i", "00000000-0000-4000-8000-000000000000"],
    "enabled": [True, False],
    "dry_run": [True, False],
    "submit_interval": [0.05, 1, 1e-9, 1e9, 1e300],
    "request_timeout": [0.05, 1, 1e-9, 1e9, 1e300],
    "prediction_cache_ttl": [0.05, 1, 1e-9, 1e9, 1e300],
    "prediction_stale_ttl": [0, 0.05, 1e300],
    "max_retry_after": [0.05, 1, 1e300],
    "spool_dir": [None, "spool", Path("spool")],
    "ca_file": [None, "ca.pem", Path("ca.pem")],
    "prediction_cache_file": [None, "cache.json", Path("cache.json")],
    "max_queue_size": [0, 1, 10**9],
    "batch_size": [1, 100, 101, 10**9],
    "max_retries": [0, 1, 10**9],
    "on_error": [None, print, list],
}
BAD = {
    "server_url": [
        *("", " ", 5, None, b"http://h", "localhost:8000", "//h", "ftp://h", "http://", "http:///x", "http://a b", "http://a\nb"),
        *("http://h:99999", "http://h:x", "http://[::1", "http://[zz]:80", "http://:8000", "http://?x", "http://#x"),
    ],
    "api_key": ["", " ", "\n", "a\nb", "a\0b", None, 5, b"k"],
    "instance_id": ["", " ", "a\nb", None, 5],
    "enabled": [None, 0, 1, "true", "no"],
    "dry_run": [None, 0, 1, "true"],
    "submit_interval": [0, -1, math.nan, math.inf, True, None, "5"],
    "request_timeout": [0, -0.1, math.nan, math.inf, True, None, "5"],
    "prediction_cache_ttl": [0, -1, math.nan, math.inf, False, None, "5"],
    "prediction_stale_ttl": [-1, math.nan, math.inf, False, None, "5"],
    "max_retry_after": [0, -1, math.nan, math.inf, True, None, "5"],
    "spool_dir": ["", 5, True, b"spool"],
    "ca_file": ["", 5, True],
    "prediction_cache_file": ["", 5, True],
    "max_queue_size": [-1, 1.5, True, None, "5"],
    "batch_size": [0, -1, 1.5, True, None, "5"],
    "max_retries": [-1, 1.5, True, None, "5"],
    "on_error": [5, "print", []],
}


def made(name, value):
    values = dict(zip(("server_url", "api_key", "instance_id"), ACCESS, strict=True))
    return TelemetryConfig(**{**values, name: value})


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in GOOD.items() for value in values])
def test_a_setting_within_its_bounds_is_taken(name, value):
    assert getattr(made(name, value), name) == value


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_a_setting_out_of_its_bounds_is_named_in_one_line(name, value):
    with pytest.raises(ValidationError) as caught:
        made(name, value)
    assert [error.field for error in caught.value.errors] == [name]
    assert str(caught.value).startswith(f"TelemetryConfig: {name}: ")
    assert str(caught.value).isprintable()


def test_the_tables_cover_every_setting():
    assert {item.name for item in fields_of(TelemetryConfig)} == set(GOOD) == set(BAD)


def test_all_bad_settings_are_named_at_once():
    with pytest.raises(ValidationError) as caught:
        TelemetryConfig("nope", "", "i", batch_size=0, submit_interval=-1, on_error=5)  # type: ignore[arg-type]  # that is the point
    assert {error.field for error in caught.value.errors} == {"server_url", "api_key", "batch_size", "submit_interval", "on_error"}


def test_a_key_is_never_shown():
    secret = "s3cr3t" * 8
    config = TelemetryConfig("http://h", secret, "i")
    assert secret not in repr(config)
    assert secret not in repr(resolve_config(config))
    assert secret not in repr(TelemetryClient(config))
    with pytest.raises(ValidationError) as caught:
        TelemetryConfig("http://h", secret + "\n" + secret, "i")
    assert secret not in str(caught.value)


def test_a_disabled_client_needs_no_access():
    assert TelemetryConfig("", "", "", enabled=False).enabled is False


@pytest.mark.parametrize("name", ["server_url", "batch_size"])
def test_a_configuration_cannot_be_changed(name):
    with pytest.raises(FrozenInstanceError):
        setattr(TelemetryConfig(*ACCESS), name, 1)
    with pytest.raises(FrozenInstanceError):
        setattr(resolve_config(TelemetryConfig(*ACCESS)), name, 1)


def test_a_changed_copy_is_checked():
    assert replace(TelemetryConfig(*ACCESS), batch_size=5).batch_size == 5
    with pytest.raises(ValidationError, match="batch_size"):
        replace(TelemetryConfig(*ACCESS), batch_size=0)


@pytest.mark.parametrize("url", ["http://h/base", "http://h/base/", "http://h/base///", " http://h/base/ "])
def test_slashes_at_the_end_of_the_url_make_no_difference(url):
    assert resolve_config(TelemetryConfig(url, "k", "i"), {}).server_url == "http://h/base"


@pytest.mark.parametrize(("given", "resolved"), [(1, 1), (99, 99), (100, 100), (101, 100), (10**9, 100)])
def test_a_batch_is_never_above_100(given, resolved):
    assert resolve_config(TelemetryConfig(*ACCESS, batch_size=given), {}).batch_size == resolved


def test_resolving_applies_every_default_and_changes_nothing_twice():
    resolved = resolve_config(TelemetryConfig("http://h/", " k ", " i ", spool_dir=None), {})
    assert isinstance(resolved, ResolvedConfig)
    assert (resolved.server_url, resolved.api_key, resolved.instance_id, resolved.spool_dir) == ("http://h", "k", "i", None)
    assert resolve_config(resolved, {"DO_NOT_TRACK": "1"}) is resolved
    assert {item.name for item in fields_of(ResolvedConfig)} == {item.name for item in fields_of(TelemetryConfig)}


DO_NOT_TRACK = [("1", True), ("true", True), ("yes", True), ("on", True), ("2", True), ("whatever", True), ("TRUE", True)]
DO_NOT_TRACK += [(value, False) for value in ("", "0", "false", "no", "False", "NO", " 0 ", " ")]


@pytest.mark.parametrize(("value", "disables"), DO_NOT_TRACK)
def test_do_not_track_disables_however_the_configuration_was_made(monkeypatch, value, disables):
    env = {"DO_NOT_TRACK": value}
    assert resolve_config(TelemetryConfig(*ACCESS), env).enabled is not disables
    assert TelemetryConfig.from_env({**env, "MOSAIC_TELEMETRY_ENABLED": "true"}, server_url="http://h", api_key="k", instance_id="i").enabled is not disables
    assert resolve_config(TelemetryConfig.from_env({}, server_url="http://h", api_key="k", instance_id="i", enabled=True), env).enabled is not disables
    monkeypatch.setenv("DO_NOT_TRACK", value)
    assert TelemetryClient(TelemetryConfig(*ACCESS, enabled=True)).config.enabled is not disables
    assert TelemetryClient(TelemetryConfig(*ACCESS, enabled=False)).config.enabled is False
