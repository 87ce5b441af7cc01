"""A public server shows only what enough instances have a part in."""

import uuid
from datetime import UTC, datetime

from support.events import fields
from support.server import ServerProcess

from mosaic_telemetry.engine import open_engine
from mosaic_telemetry.engine.standing import Admission
from mosaic_telemetry.schema import TaskCompletionEvent


def test_a_model_of_few_instances_stays_unseen(tmp_path):
    database = tmp_path / "public.db"
    with open_engine(database, admission=Admission(trial_days=0)) as engine:
        for number in range(6):
            instance = engine.authenticate(engine.create_instance(f"member-{number}").api_key)
            own = {"instance_id": str(instance.instance_id), "schema_version": "1.0", "timestamp": datetime.now(UTC).isoformat()}
            models = ["common-model", "rare-model"] if number < 2 else ["common-model"]
            engine.ingest(instance, [TaskCompletionEvent(**own, event_id=str(uuid.uuid4()), **fields(model=model)) for model in models for _ in range(4)])
        engine.roll_up()
    with ServerProcess(database, "--public", "--trial-days", "0") as server:
        _, _, text = server.request_text("/")
        assert "common-model" in text
        assert "rare-model" not in text
        assert "claude_code" not in text
        assert "claude code" not in text
        assert "No task ended" in server.request_text("/?model=rare-model")[2]
        assert "member-" not in server.request_text("/activity")[2]
        assert "rare-model" not in server.request_text("/models")[2]
        assert "rare-model" not in server.request_text("/v1/compare?task_type=implementation&complexity=medium")[2]
