import os
import re
import uuid

import pytest
from support.server import ServerProcess, create_instance
from support.waiting import wait_for

from mosaic_telemetry.server.examples import EXAMPLES


def number(text, name):
    """The value of a line, by its name and labels."""
    found = re.search(rf"^mosaic_telemetry_{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else None


@pytest.mark.parametrize("workers", [1, 2])
def test_any_worker_tells_the_sum_of_all(tmp_path, workers):
    access = create_instance(tmp_path / "t.db")
    with ServerProcess(tmp_path / "t.db", "--workers", str(workers)) as process:
        ids = [str(uuid.uuid4()) for _ in range(20)]
        for event_id in [*ids, ids[0]]:  # each on a connection of its own, so that both workers answer some
            event = {**EXAMPLES["TaskCompletionEvent"], "instance_id": access.instance_id, "event_id": event_id}
            assert process.request("POST", "/v1/events/batch", {"events": [event, {**event, "retry_count": 999}]}, key=access.api_key)[0] == 202
        process.request("GET", "/v1/nothing")
        texts = [process.request_text("/metrics")[2] for _ in range(6)]
        for text in texts:
            assert number(text, 'events_total{result="accepted"}') == 20
            assert number(text, 'events_total{result="duplicate"}') == 1
            assert number(text, 'events_total{result="invalid"}') == 21
            assert number(text, 'requests_total{method="POST",route="/v1/events/batch",status="202"}') == 21
            assert number(text, 'requests_total{method="GET",route="none",status="404"}') == 1
            assert number(text, 'request_seconds_count{route="/v1/events/batch"}') == 21
            assert number(text, "store_write_seconds_count") == 21
            assert number(text, "commit_batches_count") >= 1
            assert number(text, "queued_events") == 0
            assert number(text, "database_up") == 1
            assert number(text, "instances") == 1
            assert number(text, "uncounted_events") >= 0
        assert process.stop() == 0


def test_metrics_can_be_turned_off(tmp_path):
    with ServerProcess(tmp_path / "t.db", "--no-metrics") as process:
        assert process.request("GET", "/metrics")[0] == 404


def test_what_a_killed_server_left_in_the_temporary_folder_goes_with_the_next_start(tmp_path):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    env = {**os.environ, "TMPDIR": str(temporary)}
    strange = temporary / "mosaic-telemetry-metrics-strange"  # nothing tells that whoever made it is gone
    strange.mkdir()
    (temporary / "mosaic-telemetry-metrics-link").symlink_to(strange)

    def folders():
        return set(temporary.iterdir())

    others = folders()
    with ServerProcess(tmp_path / "killed.db", "--workers", "2", env=env) as killed:
        (left,) = folders() - others
        killed.kill()
    assert left.exists()
    with ServerProcess(tmp_path / "first.db", "--workers", "2", env=env) as first:
        wait_for(lambda: _started_and_ended(tmp_path, env) and not left.exists(), 30, "the end of the killed server's processes, and of its folder")
        assert len(folders() - others) == 1  # that of the server which runs
        assert number(first.request_text("/metrics")[2], "database_up") == 1
        assert first.stop() == 0
    assert folders() == others


def _started_and_ended(tmp_path, env):
    with ServerProcess(tmp_path / "second.db", "--workers", "2", env=env) as second:
        return second.stop() == 0
