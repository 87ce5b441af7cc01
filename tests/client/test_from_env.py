"""Settings from the environment."""

import pytest

from mosaic_telemetry import TelemetryConfig, ValidationError

OURS = {
    "MOSAIC_TELEMETRY_SERVER_URL": "http://ours",
    "MOSAIC_TELEMETRY_API_KEY": "our-key",
    "MOSAIC_TELEMETRY_INSTANCE_ID": "our-instance",
}
ALIASES = {"TELEMETRY_API_URL": "http://alias", "TELEMETRY_API_KEY": "alias-key", "TELEMETRY_INSTANCE_ID": "alias-instance"}


def access(config):
    return config.server_url, config.api_key, config.instance_id


def test_every_variable_is_read():
    config = TelemetryConfig.from_env(
        {
            **OURS,
            "MOSAIC_TELEMETRY_ENABLED": "true",
            "MOSAIC_TELEMETRY_SUBMIT_INTERVAL": "1.5",
            "MOSAIC_TELEMETRY_MAX_QUEUE_SIZE": "7",
            "MOSAIC_TELEMETRY_BATCH_SIZE": "8",
            "MOSAIC_TELEMETRY_REQUEST_TIMEOUT": "2",
            "MOSAIC_TELEMETRY_PREDICTION_CACHE_TTL": "3e2",
            "MOSAIC_TELEMETRY_DRY_RUN": "true",
            "MOSAIC_TELEMETRY_MAX_RETRIES": "4",
        }
    )
    assert access(config) == ("http://ours", "our-key", "our-instance")
    assert (config.enabled, config.dry_run) == (True, True)
    assert (config.submit_interval, config.request_timeout, config.prediction_cache_ttl) == (1.5, 2.0, 300.0)
    assert (config.max_queue_size, config.batch_size, config.max_retries) == (7, 8, 4)


def test_the_variables_of_the_peer_are_read_where_ours_are_not_set():
    assert access(TelemetryConfig.from_env(ALIASES)) == ("http://alias", "alias-key", "alias-instance")
    assert access(TelemetryConfig.from_env({**ALIASES, **OURS})) == ("http://ours", "our-key", "our-instance")
    mixed = {**ALIASES, "MOSAIC_TELEMETRY_API_KEY": "our-key", "MOSAIC_TELEMETRY_SERVER_URL": ""}
    assert access(TelemetryConfig.from_env(mixed)) == ("http://alias", "our-key", "alias-instance")


def test_what_is_passed_wins_over_the_environment():
    config = TelemetryConfig.from_env({**OURS, "MOSAIC_TELEMETRY_BATCH_SIZE": "8"}, api_key="mine", batch_size=9, on_error=print)
    assert (config.api_key, config.batch_size, config.on_error) == ("mine", 9, print)


@pytest.mark.parametrize("name", ["MOSAIC_TELEMETRY_ENABLED", "TELEMETRY_ENABLED"])
@pytest.mark.parametrize(
    ("text", "enabled"), [("false", False), ("0", False), ("no", False), ("False", False), (" NO ", False), ("true", True), ("1", True), ("", True)]
)
def test_enabled(name, text, enabled):
    assert TelemetryConfig.from_env({**OURS, name: text}).enabled is enabled


def test_our_enabled_wins_over_the_alias():
    assert TelemetryConfig.from_env({**OURS, "MOSAIC_TELEMETRY_ENABLED": "true", "TELEMETRY_ENABLED": "false"}).enabled
    assert not TelemetryConfig.from_env({**OURS, "MOSAIC_TELEMETRY_ENABLED": "false", "TELEMETRY_ENABLED": "true"}).enabled


def test_a_disabled_environment_needs_no_access():
    assert not TelemetryConfig.from_env({"MOSAIC_TELEMETRY_ENABLED": "false"}).enabled
    assert not TelemetryConfig.from_env({"DO_NOT_TRACK": "1"}).enabled


def test_the_environment_of_the_process_is_read(monkeypatch):
    for name, value in OURS.items():
        monkeypatch.setenv(name, value)
    assert access(TelemetryConfig.from_env()) == ("http://ours", "our-key", "our-instance")
    monkeypatch.setenv("DO_NOT_TRACK", "1")
    assert not TelemetryConfig.from_env().enabled


def test_what_is_missing_is_named_with_its_variable():
    with pytest.raises(ValidationError) as caught:
        TelemetryConfig.from_env({})
    assert [error.field for error in caught.value.errors] == ["server_url", "api_key", "instance_id"]
    for name in OURS:
        assert name in str(caught.value)


@pytest.mark.parametrize("name", ["SUBMIT_INTERVAL", "MAX_QUEUE_SIZE", "BATCH_SIZE", "REQUEST_TIMEOUT", "PREDICTION_CACHE_TTL", "MAX_RETRIES"])
@pytest.mark.parametrize("text", ["many", "1s", "-1", "nan", "0x10", "1,5"])
def test_a_number_that_is_none_is_named(name, text):
    with pytest.raises(ValidationError) as caught:
        TelemetryConfig.from_env({**OURS, f"MOSAIC_TELEMETRY_{name}": text})
    assert name.lower() in str(caught.value).lower()
    assert str(caught.value).isprintable()


def test_everything_wrong_is_named_at_once():
    with pytest.raises(ValidationError) as caught:
        TelemetryConfig.from_env({"MOSAIC_TELEMETRY_BATCH_SIZE": "many", "MOSAIC_TELEMETRY_API_KEY": "k", "MOSAIC_TELEMETRY_MAX_RETRIES": "-1"}, colour="red")
    text = str(caught.value)
    for name in ("MOSAIC_TELEMETRY_BATCH_SIZE", "colour", "server_url", "instance_id", "max_retries"):
        assert name in text


def test_an_unknown_setting_is_named():
    with pytest.raises(ValidationError, match="colour: 'red' is not a setting"):
        TelemetryConfig.from_env(OURS, colour="red")
