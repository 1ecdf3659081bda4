"""What goes over the wire on the native routes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from aico.core.chat import AUTO_MODEL, ChatRequest, Message, Role
from aico.core.inputs import ControlFields, Metadata, ModelName, Text, Turn
from aico.core.jobs import (
    NO_CONTROLS,
    Answer,
    Controls,
    Job,
    JobClass,
    JobError,
    JobStatus,
    PutBackEntry,
    RoutingReport,
    Stage,
)
from aico.core.submission import Submission, caller_user


class ChatMessage(BaseModel):
    model_config = ConfigDict(extra="forbid")

    role: Role
    content: Turn


class JobRequest(ControlFields):
    """Either `prompt` (with an optional `system`) or `messages` that end with a user turn."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"prompt": "What is the capital of France?"},
                {
                    "messages": [
                        {"role": "system", "content": "Answer in one sentence."},
                        {"role": "user", "content": "What does a task queue do?"},
                    ],
                    "model": "auto",
                    "max_tokens": 200,
                    "class": "standard",
                    "metadata": {"team": "support"},
                },
            ]
        },
    )

    prompt: Turn | None = None
    system: Turn | None = None
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=1000)] | None = None
    model: ModelName = AUTO_MODEL
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    stop: Annotated[list[Text], Field(max_length=4)] = Field(default_factory=list)
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    response_format: Literal["text", "json_object"] = "text"
    metadata: Metadata = Field(default_factory=dict)
    stream: Annotated[
        bool, Field(description="Publish the answer piece by piece: `GET /v1/jobs/{job_id}/events` relays it.")
    ] = False

    @model_validator(mode="after")
    def _one_conversation(self) -> Self:
        if (self.prompt is None) == (self.messages is None):
            raise ValueError("give either `prompt` or `messages`")
        if self.messages is not None:
            if self.system is not None:
                raise ValueError("`system` goes with `prompt`; put a system message into `messages` instead")
            if self.messages[-1].role is not Role.USER:
                raise ValueError("the last of `messages` must be the user's")
        return self

    def submission(self) -> Submission:
        return Submission(
            chat=self.chat(),
            job_class=self.job_class,
            cache=self.cache,
            controls=self.controls(),
            metadata=self.metadata,
            tags=tuple(self.tags),
            deadline=self.deadline,
            completion_window=self.completion_window,
            priority=self.priority,
            max_retries=self.max_retries,
            streams=self.stream,
            redact=self.pii is not None,
            user=caller_user({}, self.metadata),
        )

    def chat(self) -> ChatRequest:
        return ChatRequest(
            messages=tuple(self._turns()),
            model=self.model,
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            stop=tuple(self.stop),
            seed=self.seed,
            response_format=self.response_format,
        )

    def _turns(self) -> list[Message]:
        if self.messages is not None:
            return [Message(role=message.role, content=message.content) for message in self.messages]
        turns = [Message(role=Role.SYSTEM, content=self.system)] if self.system is not None else []
        return [*turns, Message(role=Role.USER, content=self.prompt or "")]


MAX_WAIT_SECONDS = 60


class WaitQuery(BaseModel):
    wait: Annotated[float, Field(ge=0, le=MAX_WAIT_SECONDS, allow_inf_nan=False)] = MAX_WAIT_SECONDS


class JobView(BaseModel):
    """A job. `answer` and `routing` are there once it has one; costs are US cents as decimal strings."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "01a2088b-ad25-7863-b70d-0c1d65801cef",
                    "status": "completed",
                    "class": "interactive",
                    "created_at": "2026-11-01T09:00:00Z",
                    "deadline": "2026-11-01T09:10:00Z",
                    "finished_at": "2026-11-01T09:00:01Z",
                    "model": "auto",
                    "metadata": {},
                    "answer": {
                        "text": "The capital of France is Paris.",
                        "finish_reason": "stop",
                        "input_tokens": 24,
                        "output_tokens": 8,
                    },
                    "routing": {
                        "provider": "local",
                        "model": "smollm2-135m",
                        "strategy": "hybrid",
                        "cache": "miss",
                        "cost_cents": "0.000056",
                        "baseline_model": "gpt-5.4",
                        "baseline_cost_cents": "0.018000",
                        "attempts": 1,
                    },
                }
            ]
        }
    )

    id: UUID
    status: JobStatus
    job_class: Annotated[JobClass, Field(serialization_alias="class")]
    created_at: datetime
    deadline: datetime
    finished_at: datetime | None = None
    stage: Annotated[
        Stage | None,
        Field(
            description="While it has not ended: searching the cache, waiting for the answer to another job that asks "
            "much the same, calling, in a provider's batch, or following another job that asks the same."
        ),
    ] = None
    admitted: Annotated[bool | None, Field(description="False while it waits for its turn among all tenants.")] = None
    run_after: Annotated[datetime | None, Field(description="It is held until then.")] = None
    retries: int = 0
    history: Annotated[
        tuple[PutBackEntry, ...], Field(description="Each time it was put back into the queue, and why.")
    ] = ()
    replay_of: UUID | None = None
    replayed_as: UUID | None = None
    model: str
    metadata: dict[str, str] = {}
    tags: tuple[str, ...] | None = None
    controls: Controls | None = None
    batch_id: UUID | None = None
    custom_id: Annotated[str | None, Field(description="The name of its line in that batch.")] = None
    answer: Answer | None = None
    routing: RoutingReport | None = None
    error: JobError | None = None

    @classmethod
    def of(cls, job: Job) -> "JobView":
        return cls(
            id=job.id,
            status=job.status,
            job_class=job.job_class,
            created_at=job.created_at,
            deadline=job.deadline,
            finished_at=job.finished_at,
            stage=None if job.status.final else job.stage,
            admitted=None if job.status.final else job.admitted,
            run_after=job.run_after,
            retries=job.retries,
            history=job.history,
            replay_of=job.replay_of,
            replayed_as=job.replayed_as,
            model=job.model,
            metadata=job.metadata,
            tags=job.tags or None,
            controls=job.controls if job.controls != NO_CONTROLS else None,
            batch_id=job.batch_id,
            custom_id=job.custom_id,
            answer=job.answer,
            routing=job.routing,
            error=job.error,
        )


class JobPage(BaseModel):
    data: list[JobView]
    has_more: bool
    next: Annotated[UUID | None, Field(description="Give as `after` to read on.")] = None

    @classmethod
    def of(cls, found: Sequence[Job], limit: int) -> "JobPage":
        """A page of at most `limit`, from one more than that where there is more."""
        views = [JobView.of(job) for job in found[:limit]]
        more = len(found) > limit
        return cls(data=views, has_more=more, next=views[-1].id if more else None)


class Problem(BaseModel):
    """RFC 9457 problem details."""

    model_config = ConfigDict(populate_by_name=True)

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    param: str | None = None
    errors: list[dict[str, Any]] | None = None
    violated_policies: Annotated[
        list[str] | None, Field(alias="violated-policies", description="Quotas that have no room: scope/period/unit.")
    ] = None
