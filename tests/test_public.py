"""The public face: its names, what importing it costs, and that it needs nothing but Python."""

import importlib
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

import mosaic_telemetry

SOURCE = Path(mosaic_telemetry.__file__).parents[1]
PROMISED = """
    TelemetryConfig ResolvedConfig resolve_config TelemetryClient EventBuilder EventBuilderParams EventQueue PredictionCache BatchSubmitter SubmitResult
    TaskCompletionEvent TaskType Complexity Harness Provider QualityGate Outcome RepoSizeCategory
    PredictionQuery PredictionResponse PredictionData PredictionMetadata TokenDistribution CorrectionFactors QualityPrediction
    BatchEventRequest BatchEventResult BatchEventResponse BatchPredictionRequest BatchPredictionResponse ValidationError
"""
MEMBERS = {
    "TelemetryClient": "start stop flush is_running queue_size stats event_builder track task get_prediction refresh_predictions"
    " astop aflush arefresh_predictions __aenter__ __aexit__ __enter__ __exit__",
    "TelemetryConfig": "from_env",
    "EventBuilder": "build",
    "EventQueue": "enqueue drain prepend size is_empty __len__",
    "PredictionCache": "get set clear __len__",
    "BatchSubmitter": "submit",
    "SubmitResult": "success response retry_after error",
    "Task": "add_usage gate",
}


def test_the_names_are_sorted_and_each_is_there():
    names = mosaic_telemetry.__all__
    assert list(names) == sorted(set(names))
    for name in names:
        assert getattr(mosaic_telemetry, name) is not None


def test_every_promised_name_is_public():
    assert set(PROMISED.split()) <= set(mosaic_telemetry.__all__)


def test_every_public_thing_of_the_package_is_in_the_list():
    def ours(value):
        return getattr(value, "__module__", "").startswith("mosaic_telemetry.")

    visible = {name for name, value in vars(mosaic_telemetry).items() if not name.startswith("_") and ours(value)}
    assert visible <= set(mosaic_telemetry.__all__)


def test_a_star_import_brings_all_of_them():
    space: dict[str, object] = {}
    exec("from mosaic_telemetry import *", space)
    assert set(mosaic_telemetry.__all__) <= set(space)


@pytest.mark.parametrize("name", MEMBERS)
def test_the_members_that_are_promised(name):
    owner = getattr(mosaic_telemetry, name)
    if name == "TelemetryClient":
        owner = mosaic_telemetry.TelemetryClient(mosaic_telemetry.TelemetryConfig("http://h", "k", "i", spool_dir=None))
    assert [member for member in MEMBERS[name].split() if not hasattr(owner, member)] == []


@pytest.mark.parametrize("module", ["mosaic_telemetry.client", "mosaic_telemetry.schema", "mosaic_telemetry.testing"])
def test_the_lists_of_the_rooms(module):
    found = importlib.import_module(module)
    assert list(found.__all__) == sorted(set(found.__all__), key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    for name in found.__all__:
        assert getattr(found, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = mosaic_telemetry.no_such_name


def test_public_things_are_documented():
    missing = [name for name in mosaic_telemetry.__all__ if not name.startswith("_") and not (getattr(mosaic_telemetry, name).__doc__ or "").strip()]
    assert missing == []


def test_the_version_has_a_single_source():
    assert importlib.metadata.version("mosaic-telemetry") == mosaic_telemetry.__version__


def test_types_are_shipped():
    assert (Path(mosaic_telemetry.__file__).parent / "py.typed").exists()


IMPORT = """
import sys
sys.path.insert(0, sys.argv[1])
before = set(sys.modules)
import mosaic_telemetry
client = mosaic_telemetry.TelemetryClient(mosaic_telemetry.TelemetryConfig("http://127.0.0.1:9", "k", "i", spool_dir=None))
{use}
new = {{name.partition(".")[0] for name in set(sys.modules) - before}}
foreign = sorted(new - set(sys.stdlib_module_names) - {{"mosaic_telemetry"}})
assert not foreign, foreign
slow = sorted({{"http.client", "ssl", "asyncio", "socket", "logging", "urllib.request", "email", "sqlite3"}} & set(sys.modules)) if {quick} else []
assert not slow, slow
print("ok")
"""
FIELDS = (
    "task_duration_ms=1, task_type='testing', complexity='low', harness='aider', model='m', provider='openai', estimated_input_tokens=0,"
    "estimated_output_tokens=0, actual_input_tokens=0, actual_output_tokens=0, estimated_cost_usd_micros=0, actual_cost_usd_micros=0,"
    "quality_gate_passed=True, quality_gates_run=[], quality_gates_failed=[], context_compactions=0, context_rotations=0,"
    "context_utilization_final=0.5, outcome='success', retry_count=0"
)


def run(program):
    """Run a program with nothing at hand but Python itself: no site-packages, no environment."""
    answer = subprocess.run([sys.executable, "-I", "-S", "-c", program, str(SOURCE)], capture_output=True, text=True, timeout=60, check=False)
    assert (answer.returncode, answer.stdout) == (0, "ok\n"), answer.stderr


def test_importing_and_making_a_client_needs_only_the_standard_library_and_little_of_it():
    run(IMPORT.format(use="", quick=True))


def test_building_an_event_imports_no_more():
    run(IMPORT.format(use=f"client.event_builder.build({FIELDS})", quick=True))


def test_sending_needs_only_the_standard_library():
    use = [
        f"client.track(client.event_builder.build({FIELDS}))",
        "assert not client.flush(0.2)",
        "import asyncio, mosaic_telemetry.testing",
        "asyncio.run(client.astop(0.1))",
    ]
    run(IMPORT.format(use="\n".join(use), quick=False))
