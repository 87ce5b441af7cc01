"""Usage read straight from the responses of model APIs, as objects and as dictionaries."""

import gzip
import json
from types import SimpleNamespace

import pytest
from support.transcripts import test_data

from mosaic_telemetry.client.responses import read_response
from mosaic_telemetry.pricing import read_answer
from mosaic_telemetry.testing import capture_events

ANTHROPIC = {
    "id": "msg_1",
    "type": "message",
    "model": "claude-sonnet-4-5",
    "usage": {"input_tokens": 10, "cache_read_input_tokens": 1000, "cache_creation_input_tokens": 200, "output_tokens": 40},
}
CHAT = {"model": "gpt-5", "usage": {"prompt_tokens": 900, "completion_tokens": 80, "prompt_tokens_details": {"cached_tokens": 800}}}
RESPONSES = {"model": "gpt-5", "usage": {"input_tokens": 900, "input_tokens_details": {"cached_tokens": 800}, "output_tokens": 80}}
ROUTED = {"model": "z-ai/glm-4.6", "usage": {"prompt_tokens": 900, "completion_tokens": 80, "cost": 0.25, "is_byok": False}}
GEMINI = {"modelVersion": "gemini-2.5-pro", "usageMetadata": {"promptTokenCount": 600, "candidatesTokenCount": 70, "thoughtsTokenCount": 25}}
GENAI = {
    "model_version": "gemini-2.5-pro",
    "usage_metadata": {"prompt_token_count": 600, "candidates_token_count": 70, "thoughts_token_count": 25, "tool_use_prompt_token_count": None},
}
OLLAMA = {"model": "qwen3:8b", "message": {"role": "assistant", "content": "hi"}, "done": True, "prompt_eval_count": 26, "eval_count": 290}

SHAPES = [
    pytest.param(ANTHROPIC, 1210, 40, 0, "anthropic", id="anthropic"),
    pytest.param(CHAT, 900, 80, 0, "openai", id="openai chat"),
    pytest.param(RESPONSES, 900, 80, 0, "openai", id="openai responses"),
    pytest.param({"type": "response.completed", "response": RESPONSES}, 900, 80, 0, "openai", id="openai responses, last event"),
    pytest.param({"choices": [], **CHAT}, 900, 80, 0, "openai", id="openai chat, last part"),
    pytest.param(ROUTED, 900, 80, 250_000, "openrouter", id="openrouter"),
    pytest.param(GEMINI, 600, 95, 0, "google", id="gemini"),
    pytest.param(GENAI, 600, 95, 0, "google", id="google-genai"),
    pytest.param(OLLAMA, 26, 290, 0, "ollama", id="ollama"),
]


def as_object(value):
    """The same with attributes for keys, as the packages have it."""
    if isinstance(value, dict):
        return SimpleNamespace(**{name: as_object(item) for name, item in value.items()})
    return [as_object(item) for item in value] if isinstance(value, list) else value


@pytest.fixture
def events():
    with capture_events() as captured:
        yield captured


@pytest.mark.parametrize("form", [dict, as_object])
@pytest.mark.parametrize(("response", "read", "written", "micros", "provider"), SHAPES)
def test_tokens_model_and_provider_come_from_the_response(client, events, form, response, read, written, micros, provider):
    with client.task(task_type="testing") as task:
        task.add_response(form(response))
        task.add_response(form(response))
    (event,) = events
    assert (event.actual_input_tokens, event.actual_output_tokens, event.actual_cost_usd_micros) == (2 * read, 2 * written, 2 * micros)
    inner = response.get("response", response)
    named = inner.get("model") or inner.get("modelVersion") or inner.get("model_version")
    assert (event.model, event.provider) == (named, provider)


def test_what_the_task_says_itself_stays(client, events):
    with client.task(model="mine", provider="custom") as task:
        task.add_response(ANTHROPIC)
    assert (events[0].model, events[0].provider) == ("mine", "custom")


@pytest.mark.parametrize(
    "part",
    [
        {"choices": [{"delta": {"content": "x"}}], "usage": None},
        {"choices": [{"delta": {"content": "x"}}]},
        {"type": "response.output_text.delta", "delta": "x"},
        {"model": "qwen3:8b", "done": False, "prompt_eval_count": None, "eval_count": None},
    ],
)
@pytest.mark.parametrize("form", [dict, as_object])
def test_parts_of_a_stream_before_its_end_add_nothing(part, form):
    assert read_response(form(part)) is None


class Broken:
    @property
    def usage(self):
        raise RuntimeError("gone")


@pytest.mark.parametrize("value", [None, 5, "text", [], {}, object(), Broken(), {"usage": {"prompt_tokens": -1}}, {"usage": {"prompt_tokens": "9"}}])
def test_what_is_no_response_is_reported_and_disturbs_nothing(new_client, events, value):
    problems = []
    client = new_client(on_error=problems.append)
    with client.task(model="m") as task:
        task.add_response(value)
    assert len(problems) == 1
    assert "response" in str(problems[0])
    assert (events[0].actual_input_tokens, events[0].outcome) == (0, "success")


def test_recorded_bodies_have_the_tokens_that_their_price_was_computed_from():
    path = test_data("api_usage", "genai_prices_usages.jsonl.gz")
    counted = 0
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            body = json.loads(line)["body"]
            known = read_answer(body)
            try:
                found = read_response(body)
            except ValueError:
                continue
            if known is None or found is None or known.damaged:
                continue
            assert read_response(as_object(body)) == found
            assert (found.input, found.output) == (known.usage.input, known.usage.output), line[:300]
            counted += 1
    assert counted > 900


def test_the_objects_of_the_real_packages():
    """Only where they are installed: pip install anthropic openai google-genai ollama."""
    anthropic = pytest.importorskip("anthropic", reason="the packages of the model APIs are not installed")
    openai = pytest.importorskip("openai", reason="the packages of the model APIs are not installed")
    genai = pytest.importorskip("google.genai", reason="the packages of the model APIs are not installed")
    ollama = pytest.importorskip("ollama", reason="the packages of the model APIs are not installed")
    message = anthropic.types.Message.model_validate({**ANTHROPIC, "role": "assistant", "content": [], "stop_reason": None, "stop_sequence": None})
    assert read_response(message)[:2] == (1210, 40)
    usage = {**CHAT["usage"], "total_tokens": 980}
    chat = openai.types.chat.ChatCompletion.model_validate({"id": "c", "object": "chat.completion", "created": 1, "choices": [], **CHAT, "usage": usage})
    assert read_response(chat)[:2] == (900, 80)
    assert read_response(genai.types.GenerateContentResponse.model_validate(GEMINI))[:2] == (600, 95)
    assert read_response(ollama.ChatResponse.model_validate(OLLAMA))[:2] == (26, 290)
