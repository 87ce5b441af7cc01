"""What a wheel may hold; each rule is broken once."""

import gzip
import zipfile
from pathlib import Path

import pytest
import wheel_rules as wheels

INFO = "mosaic_telemetry-0.1.0.dist-info"
GOOD = {
    "mosaic_telemetry/__init__.py": "",
    "mosaic_telemetry/py.typed": "",
    "mosaic_telemetry/client/client.py": "x" * 1000,
    "mosaic_telemetry/server/app.py": "y" * 1_000_000,
    "mosaic_telemetry/cli/demo_data/pi/sessions/.pi/a.jsonl": "",
    f"{INFO}/METADATA": 'Metadata-Version: 2.4\nName: mosaic-telemetry\nVersion: 0.1.0\nRequires-Dist: click>=8.1; extra == "cli"\n',
    f"{INFO}/licenses/LICENSE": "",
}


@pytest.fixture
def make(tmp_path):
    def make(**changes):
        path = tmp_path / "mosaic_telemetry-0.1.0-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in {**GOOD, **changes}.items():
                if text is not None:
                    archive.writestr(name, text)
        return path

    return make


def test_a_good_wheel_has_no_problem_and_only_the_sdk_counts(make):
    path = make()
    assert list(wheels.problems(path)) == []
    with zipfile.ZipFile(path) as archive:
        assert wheels.sdk_bytes(archive) == 1000


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"other/a.py": ""}, "other/a.py: belongs to no package of ours"),
        ({"mosaic_telemetry/tests/test_a.py": ""}, "mosaic_telemetry/tests/test_a.py: does not belong into a wheel"),
        ({"mosaic_telemetry/__pycache__/a.cpython-311.pyc": ""}, "mosaic_telemetry/__pycache__/a.cpython-311.pyc: does not belong into a wheel"),
        ({"mosaic_telemetry/.coverage": ""}, "mosaic_telemetry/.coverage: does not belong into a wheel"),
        ({"mosaic_telemetry/py.typed": None}, "mosaic_telemetry/py.typed: missing"),
        ({f"{INFO}/licenses/LICENSE": None}, "LICENSE: missing"),
        ({"mosaic_telemetry/schema/big.py": "x" * 300_000}, "the SDK is 301,000 bytes installed, more than 300,000"),
        ({f"{INFO}/METADATA": "Requires-Dist: requests\n"}, "requests: the SDK depends on nothing"),
    ],
)
def test_a_bad_wheel_is_refused(make, changes, problem):
    assert list(wheels.problems(make(**changes))) == [problem]


def test_script_libraries_are_named_with_their_versions(make):
    bundle = gzip.compress(b'var a={PACKAGE_VERSION:"5.35.0"}')
    path = make(**{"mosaic_telemetry/server/static/swagger/swagger-ui-bundle.js.gz": bundle, "mosaic_telemetry/server/dashboard/static/dashboard.js": ""})
    with zipfile.ZipFile(path) as archive:
        assert [item["purl"] for item in wheels.scripts(archive)] == ["pkg:npm/swagger-ui-dist@5.35.0"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("other.min.js", "name this library in scripts/wheel_rules.py"), ("htmx.min.js", "its version cannot be read")],
    ids=["unknown", "no version"],
)
def test_a_library_that_the_sbom_would_miss_is_refused(make, name, reason):
    with zipfile.ZipFile(make(**{f"mosaic_telemetry/server/static/{name}": "x"})) as archive, pytest.raises(ValueError, match=reason):
        wheels.scripts(archive)


def test_the_libraries_that_this_checkout_ships_are_known():
    static = Path(__file__).parents[2] / "src/mosaic_telemetry/server"
    shipped = {path.name for path in static.rglob("*") if path.name.endswith((".js", ".js.gz"))}
    assert shipped <= set(wheels.SCRIPTS) | wheels.OWN_SCRIPTS
