"""Estimates of collected tasks: only what was known before a task began."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from support.transcripts import INSTANCE, RECORDINGS, collect

from mosaic_telemetry.collectors import to_event
from mosaic_telemetry.collectors.estimates import with_estimates
from mosaic_telemetry.schema import (
    MAX_TOKENS,
    CorrectionFactors,
    PredictionData,
    PredictionMetadata,
    PredictionResponse,
    QualityPrediction,
    TokenDistribution,
    encode_event,
)

TASKS = collect(RECORDINGS).tasks


def answer(updated, *, tokens_in=1234.5, tokens_out=67.0, cost=890.4):
    """A prediction whose newest event was counted at `updated`, in milliseconds since 1970."""

    def around(median):
        return TokenDistribution(p10=median / 2, p25=median / 1.5, median=median, p75=median * 1.5, p90=median * 2)

    moment = None if updated is None else datetime.fromtimestamp(updated / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    data = PredictionData(
        input_tokens=around(tokens_in),
        output_tokens=around(tokens_out),
        cost_usd_micros={"median": cost},
        duration_ms={"median": 1.0},
        correction_factors=CorrectionFactors(input=1.0, output=1.0),
        quality=QualityPrediction(gate_pass_rate=1.0, success_rate=1.0),
    )
    return PredictionResponse(
        prediction=data,
        metadata=PredictionMetadata(sample_size=37, fallback_level=0, confidence="medium", last_updated=moment, dimensions_matched=None, fallback_note=None),
    )


def estimates(task, given):
    ((_, converted),) = with_estimates([(task, to_event(task, INSTANCE))], lambda queries: [given] * len(queries))
    event = converted.event
    return (event.estimated_input_tokens, event.estimated_output_tokens, event.estimated_cost_usd_micros), converted.estimated


@pytest.mark.parametrize(("later_ms", "taken"), [(-86_400_000, True), (0, True), (1, False), (86_400_000, False)])
def test_a_prediction_counts_only_if_it_was_there_when_the_task_began(later_ms, taken):
    task = TASKS[0]
    figures, told = estimates(task, answer(task.started_ms + later_ms))
    assert figures == ((1234, 67, 890) if taken else (0, 0, 0))
    assert ("37 tasks, confidence medium" in told) == taken


def test_without_a_prediction_the_estimates_are_0():
    nothing = answer(TASKS[0].started_ms)
    assert estimates(TASKS[0], replace(nothing, prediction=None)) == ((0, 0, 0), "")
    assert estimates(TASKS[0], answer(None)) == ((0, 0, 0), "")
    assert with_estimates([], lambda _: pytest.fail("there is nothing to ask for")) == []


def test_an_estimate_stays_within_the_contract_and_changes_nothing_else():
    task = TASKS[0]
    before = to_event(task, INSTANCE)
    ((same, converted),) = with_estimates([(task, before)], lambda _: [answer(0, tokens_in=1e12, cost=-3.0)])
    assert same is task
    assert converted.event.estimated_input_tokens == MAX_TOKENS
    assert converted.event.estimated_cost_usd_micros == 0
    unestimated = replace(converted.event, estimated_input_tokens=0, estimated_output_tokens=0, estimated_cost_usd_micros=0)
    assert encode_event(unestimated) == encode_event(before.event)
    assert replace(converted, event=before.event, estimated="") == before


def test_each_kind_of_task_is_asked_for_once():
    asked = []

    def predict(queries):
        asked.extend(queries)
        return [answer(0, tokens_out=float(place + 1)) for place, _ in enumerate(queries)]

    found = with_estimates([(task, to_event(task, INSTANCE)) for task in [*TASKS, *TASKS]], predict)
    assert len(asked) == len(set(asked)) <= len(TASKS)
    for _, converted in found:
        event = converted.event
        kind = (event.task_type, event.model, event.provider, event.complexity)
        place = [(query.task_type, query.model, query.provider, query.complexity) for query in asked].index(kind)
        assert event.estimated_output_tokens == place + 1
