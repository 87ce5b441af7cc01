"""The same endpoint as most would write it: FastAPI, pydantic, SQLAlchemy. Durable as well (WAL, synchronous=FULL); it keeps no cells.

The database's URL, the key and the instance come from the environment (DATABASE, API_KEY, INSTANCE_ID). Run as a program, it makes the tables and the
key; uvicorn then serves `app`.
"""

# ruff: noqa: ANN001, ANN201 - written as such code is written

import hashlib
import os
from datetime import datetime
from enum import Enum
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel, Field
from sqlalchemy import JSON, DateTime, Float, Integer, String, Uuid, create_engine, event, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

SQLITE = os.environ["DATABASE"].startswith("sqlite")
engine = create_engine(os.environ["DATABASE"], connect_args={"timeout": 60} if SQLITE else {})

if SQLITE:

    @event.listens_for(engine, "connect")
    def durable(connection, _):
        for pragma in ("journal_mode = WAL", "synchronous = FULL"):
            connection.execute(f"PRAGMA {pragma}").close()


class Base(DeclarativeBase):
    pass


class Key(Base):
    __tablename__ = "keys"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    instance_id: Mapped[UUID] = mapped_column(Uuid)


class Event(Base):
    __tablename__ = "events"
    event_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    instance_id: Mapped[UUID] = mapped_column(Uuid, index=True)
    schema_version: Mapped[str] = mapped_column(String(10))
    timestamp: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    task_duration_ms: Mapped[int] = mapped_column(Integer)
    task_type: Mapped[str] = mapped_column(String(30))
    complexity: Mapped[str] = mapped_column(String(30))
    harness: Mapped[str] = mapped_column(String(30))
    model: Mapped[str] = mapped_column(String(100))
    provider: Mapped[str] = mapped_column(String(30))
    estimated_input_tokens: Mapped[int] = mapped_column(Integer)
    estimated_output_tokens: Mapped[int] = mapped_column(Integer)
    actual_input_tokens: Mapped[int] = mapped_column(Integer)
    actual_output_tokens: Mapped[int] = mapped_column(Integer)
    estimated_cost_usd_micros: Mapped[int] = mapped_column(Integer)
    actual_cost_usd_micros: Mapped[int] = mapped_column(Integer)
    quality_gate_passed: Mapped[bool]
    quality_gates_run: Mapped[list[str]] = mapped_column(JSON)
    quality_gates_failed: Mapped[list[str]] = mapped_column(JSON)
    context_compactions: Mapped[int] = mapped_column(Integer)
    context_rotations: Mapped[int] = mapped_column(Integer)
    context_utilization_final: Mapped[float] = mapped_column(Float)
    outcome: Mapped[str] = mapped_column(String(30))
    retry_count: Mapped[int] = mapped_column(Integer)
    language: Mapped[str | None] = mapped_column(String(30))
    repo_size_category: Mapped[str | None] = mapped_column(String(30))


def choice(name, words):
    return Enum(name, {word: word for word in words.split()}, type=str)


TaskType = choice("TaskType", "planning implementation code_review testing debugging refactoring documentation configuration security_audit unknown")
Complexity = choice("Complexity", "low medium high critical")
Harness = choice("Harness", "claude_code opencode kilo_code aider api_direct ollama_local custom unknown")
Provider = choice("Provider", "anthropic openai openrouter ollama google mistral custom unknown")
QualityGate = choice("QualityGate", "build lint test coverage typecheck security")
Outcome = choice("Outcome", "success failure partial timeout")
RepoSize = choice("RepoSize", "tiny small medium large huge")
Tokens = Annotated[int, Field(ge=0, le=10_000_000)]
Micros = Annotated[int, Field(ge=0, le=100_000_000)]


class EventIn(BaseModel):
    instance_id: UUID
    event_id: UUID
    schema_version: Literal["1.0"]
    timestamp: datetime
    task_duration_ms: Annotated[int, Field(ge=0, le=86_400_000)]
    task_type: TaskType
    complexity: Complexity
    harness: Harness
    model: Annotated[str, Field(min_length=1, max_length=100)]
    provider: Provider
    estimated_input_tokens: Tokens
    estimated_output_tokens: Tokens
    actual_input_tokens: Tokens
    actual_output_tokens: Tokens
    estimated_cost_usd_micros: Micros
    actual_cost_usd_micros: Micros
    quality_gate_passed: bool
    quality_gates_run: list[QualityGate]
    quality_gates_failed: list[QualityGate]
    context_compactions: Annotated[int, Field(ge=0, le=100)]
    context_rotations: Annotated[int, Field(ge=0, le=50)]
    context_utilization_final: Annotated[float, Field(ge=0, le=1)]
    outcome: Outcome
    retry_count: Annotated[int, Field(ge=0, le=20)]
    language: Annotated[str, Field(max_length=30)] | None = None
    repo_size_category: RepoSize | None = None


class BatchIn(BaseModel):
    events: Annotated[list[EventIn], Field(min_length=1, max_length=100)]


class Result(BaseModel):
    event_id: UUID
    status: str
    error: str | None = None


class BatchOut(BaseModel):
    accepted: int
    rejected: int
    results: list[Result]


app = FastAPI()


def prepare():
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.merge(Key(digest=hashlib.sha256(os.environ["API_KEY"].encode()).hexdigest(), instance_id=UUID(os.environ["INSTANCE_ID"])))
        session.commit()


def get_session():
    with Session(engine) as session:
        yield session


def get_instance(authorization: Annotated[str, Header()], session: Annotated[Session, Depends(get_session)]):
    key = session.get(Key, hashlib.sha256(authorization.removeprefix("Bearer ").encode()).hexdigest())
    if key is None:
        raise HTTPException(401)
    return key.instance_id


@app.post("/v1/events/batch", status_code=202)
def submit(batch: BatchIn, instance: Annotated[UUID, Depends(get_instance)], session: Annotated[Session, Depends(get_session)]) -> BatchOut:
    if any(item.instance_id != instance for item in batch.events):
        raise HTTPException(403)
    known = set(session.scalars(select(Event.event_id).where(Event.event_id.in_([item.event_id for item in batch.events]))))
    results = []
    for item in batch.events:
        if item.event_id in known:
            results.append(Result(event_id=item.event_id, status="rejected", error="duplicate"))
            continue
        known.add(item.event_id)
        session.add(Event(**item.model_dump()))
        results.append(Result(event_id=item.event_id, status="accepted"))
    session.commit()
    accepted = sum(result.status == "accepted" for result in results)
    return BatchOut(accepted=accepted, rejected=len(results) - accepted, results=results)


@app.get("/healthz")
def healthz() -> str:
    return "ok"


if __name__ == "__main__":
    prepare()
