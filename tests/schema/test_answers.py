"""Answers of a server, newer or older than this client: unknown fields are passed over, absent optional ones take their default."""

import json

import pytest

from mosaic_telemetry import BatchEventResponse, BatchPredictionResponse, PredictionResponse, ValidationError
from mosaic_telemetry.schema import decode, encode, from_dict

QUANTILES = {"p10": 1, "p25": 2.5, "median": 3, "p75": 4, "p90": 5}
PREDICTION = {
    "input_tokens": QUANTILES,
    "output_tokens": QUANTILES,
    "cost_usd_micros": {"median": 70_000},
    "duration_ms": {"median": 61_000, "p90": 120_000.5},
    "correction_factors": {"input": 1.2, "output": 0.8},
    "quality": {"gate_pass_rate": 0.0, "success_rate": 1.0},
}
METADATA = {"sample_size": 12, "fallback_level": 1, "confidence": "low"}


def test_absent_optional_fields_of_a_prediction_read_as_null():
    answer = from_dict(PredictionResponse, {"prediction": PREDICTION, "metadata": METADATA})
    assert answer.metadata.dimensions_matched is None
    assert answer.metadata.fallback_note is None
    assert answer.metadata.last_updated is None
    assert answer.metadata.cache_hit is False
    assert answer.prediction is not None
    assert answer.prediction.duration_ms == {"median": 61_000, "p90": 120_000.5}
    assert answer.prediction.input_tokens.p25 == 2.5


def test_no_prediction_is_null():
    answer = decode(PredictionResponse, b'{"prediction":null,"metadata":{"sample_size":0,"fallback_level":-1,"confidence":"none"}}')
    assert answer.prediction is None
    assert (answer.metadata.sample_size, answer.metadata.fallback_level, answer.metadata.confidence) == (0, -1, "none")


def test_unknown_fields_at_any_depth_are_passed_over():
    def littered(value):
        return {key: littered(item) for key, item in value.items()} | {"x_new": {"deep": [1]}} if isinstance(value, dict) else value

    plain = {"prediction": PREDICTION, "metadata": METADATA}
    loud = littered(plain)
    del loud["prediction"]["cost_usd_micros"]["x_new"], loud["prediction"]["duration_ms"]["x_new"]
    assert from_dict(PredictionResponse, loud) == from_dict(PredictionResponse, plain)


def test_the_open_maps_keep_new_numbers_and_leave_out_what_is_none():
    costs = {"median": 1, "p99": 9.5, "currency": "USD", "flag": True, "none": None, "nan": float("nan"), "nested": {"a": 1}}
    answer = from_dict(PredictionResponse, {"prediction": {**PREDICTION, "cost_usd_micros": costs}, "metadata": METADATA})
    assert answer.prediction is not None
    assert answer.prediction.cost_usd_micros == {"median": 1, "p99": 9.5}


def test_the_dimensions_that_matched():
    matched = {"task_type": "testing", "model": "m", "provider": None, "complexity": "low"}
    answer = from_dict(
        PredictionResponse, {"prediction": PREDICTION, "metadata": {**METADATA, "dimensions_matched": matched, "fallback_note": "Any provider."}}
    )
    assert answer.metadata.dimensions_matched == matched
    assert decode(PredictionResponse, encode(answer)) == answer


def test_a_confidence_of_a_later_version_is_kept():
    answer = from_dict(PredictionResponse, {"prediction": None, "metadata": {**METADATA, "confidence": "very_high"}})
    assert answer.metadata.confidence == "very_high"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"prediction": 5}, "prediction"),
        ({"prediction": {**PREDICTION, "input_tokens": None}}, "prediction.input_tokens"),
        ({"prediction": {**PREDICTION, "quality": {"gate_pass_rate": 1.5, "success_rate": 1}}}, "prediction.quality.gate_pass_rate"),
        ({"metadata": None}, "metadata"),
        ({"metadata": {**METADATA, "sample_size": -1}}, "metadata.sample_size"),
        ({"metadata": {**METADATA, "cache_hit": 1}}, "metadata.cache_hit"),
    ],
)
def test_a_prediction_that_breaks_the_contract_is_refused_with_the_path(change, field):
    with pytest.raises(ValidationError) as caught:
        from_dict(PredictionResponse, {"prediction": PREDICTION, "metadata": METADATA, **change})
    assert [error.field for error in caught.value.errors] == [field]


def test_the_path_of_a_bad_field_in_a_list():
    good = {"prediction": None, "metadata": METADATA}
    with pytest.raises(ValidationError) as caught:
        decode(BatchPredictionResponse, json.dumps({"results": [good, {"metadata": METADATA}, {"prediction": None, "metadata": {}}]}))
    assert [error.field for error in caught.value.errors] == [
        "results[1].prediction",
        "results[2].metadata.sample_size",
        "results[2].metadata.fallback_level",
        "results[2].metadata.confidence",
    ]


def test_verdicts_with_and_without_error():
    answer = from_dict(
        BatchEventResponse,
        {
            "accepted": 1,
            "rejected": 2,
            "took_ms": 3,
            "results": [
                {"event_id": "a", "status": "accepted"},
                {"event_id": "b", "status": "rejected", "error": None},
                {"event_id": "", "status": "rejected", "error": "broken", "code": 7},
            ],
        },
    )
    assert [(result.event_id, result.status, result.error) for result in answer.results] == [
        ("a", "accepted", None),
        ("b", "rejected", None),
        ("", "rejected", "broken"),
    ]
