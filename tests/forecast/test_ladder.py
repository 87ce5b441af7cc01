import pytest

from mosaic_telemetry.forecast import NO_DATA, CellKey, confidence, dimensions_matched, fallback_note, keys_of
from mosaic_telemetry.schema import Complexity, PredictionQuery, Provider, TaskType

QUERY = PredictionQuery(task_type=TaskType.CODE_REVIEW, model=" GPT-5 ", provider=Provider.OPENAI, complexity=Complexity.HIGH)


def test_the_levels_drop_dimensions_in_the_contracts_order():
    assert keys_of("code_review", "GPT-5 ", "openai", "high") == (
        CellKey(0, ("code_review", "gpt-5", "openai", "high")),
        CellKey(1, ("code_review", "gpt-5", "high")),
        CellKey(2, ("code_review", "gpt-5")),
        CellKey(3, ("code_review", "high")),
        CellKey(4, ("code_review",)),
        CellKey(5, ()),
    )


@pytest.mark.parametrize(
    ("events", "level", "word"),
    [(0, NO_DATA, "none"), (5, 0, "low"), (29, 0, "low"), (30, 0, "medium"), (99, 0, "medium"), (100, 0, "high"), (100_000, 1, "low"), (50, 5, "low")],
)
def test_confidence(events, level, word):
    assert confidence(events, level) == word


@pytest.mark.parametrize(
    ("level", "dropped"),
    [(0, ()), (1, ("provider",)), (2, ("provider", "complexity")), (3, ("model", "provider")), (4, ("model", "provider", "complexity")), (5, None)],
)
def test_dimensions_matched_are_null_where_they_are_dropped(level, dropped):
    matched = dimensions_matched(QUERY, level)
    assert list(matched) == ["task_type", "model", "provider", "complexity"]
    assert {name for name, value in matched.items() if value is None} == (set(matched) if dropped is None else set(dropped))


def test_without_data_no_dimension_matched():
    assert dimensions_matched(QUERY, NO_DATA) is None


def test_notes_are_sentences_that_name_what_the_numbers_are_of():
    notes = [fallback_note(QUERY, level) for level in range(-1, 6)]
    assert notes[1] is None
    assert "no answer yet" in notes[0]
    assert "GPT-5 from any provider" in notes[2]
    assert "code review tasks of high complexity with any model" in notes[4]
    assert len(set(notes)) == 7
    assert all(note.endswith(".") for note in notes if note)
