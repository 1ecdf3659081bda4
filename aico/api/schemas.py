"""What goes over the wire on the native routes."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from aico.core.chat import AUTO_MODEL, ChatRequest, Message, Role
from aico.core.jobs import Answer, CacheMode, Job, JobClass, JobError, JobStatus, RoutingReport


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain NUL characters")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("must not contain half of a surrogate pair") from error
    return text


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text


Text = Annotated[str, AfterValidator(_storable)]
Turn = Annotated[Text, AfterValidator(_said)]
MetadataKey = Annotated[Text, Field(min_length=1, max_length=64)]
MetadataValue = Annotated[Text, Field(max_length=512)]


class ChatMessage(BaseModel):
    model_config = ConfigDict(extra="forbid")

    role: Role
    content: Turn


class JobRequest(BaseModel):
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
    model: Annotated[Text, Field(min_length=1, max_length=200)] = AUTO_MODEL
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    stop: Annotated[list[Text], Field(max_length=4)] = []
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    response_format: Literal["text", "json_object"] = "text"
    job_class: Annotated[JobClass, Field(alias="class")] = JobClass.INTERACTIVE
    cache: Annotated[
        CacheMode | None,
        Field(description="Default: `semantic`, or `off` when a temperature above 0 asks for variety."),
    ] = None
    metadata: Annotated[dict[MetadataKey, MetadataValue], Field(max_length=16)] = {}

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

    @property
    def cache_mode(self) -> CacheMode:
        if self.cache is not None:
            return self.cache
        return CacheMode.OFF if self.temperature else CacheMode.SEMANTIC

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
                        "strategy": "complexity",
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
    finished_at: datetime | None = None
    model: str
    metadata: dict[str, str] = {}
    answer: Answer | None = None
    routing: RoutingReport | None = None
    error: JobError | None = None

    @classmethod
    def of(cls, job: Job) -> "JobView":
        fields = job.model_dump(exclude={"request", "answer", "routing", "error"})
        return cls(**fields, model=job.request.model, answer=job.answer, routing=job.routing, error=job.error)


class JobPage(BaseModel):
    data: list[JobView]
    has_more: bool
    next: Annotated[UUID | None, Field(description="Give as `after` to read on.")] = None


class ProviderView(BaseModel):
    name: str
    configured: bool
    switched_on_by: Annotated[str, Field(description="The environment variable that switches it on.")]
    models: list[str]


class ModelView(BaseModel):
    id: str
    provider: str
    context_window: int
    max_output: int
    capabilities: list[str]
    quality: float
    input_dollars_per_million: Decimal | None
    output_dollars_per_million: Decimal | None


class ProvidersView(BaseModel):
    providers: list[ProviderView]
    models: list[ModelView]


class CostRow(BaseModel):
    kind: str
    provider: str
    model: str
    attempts: int
    answered: int
    failed: int
    input_tokens: int
    output_tokens: int
    cost_cents: Decimal
    baseline_cost_cents: Decimal
    saved_cents: Decimal
    unpriced_attempts: int


class CostSummary(BaseModel):
    """What was spent, what the baseline model's list price would have been, and the difference."""

    since: datetime
    until: datetime
    cost_cents: Decimal
    baseline_cost_cents: Decimal
    saved_cents: Decimal
    unpriced_attempts: Annotated[int, Field(description="Attempts without a known price; not in the sums.")]
    pending_events: Annotated[int, Field(description="Finished attempts that are about to be booked.")]
    rows: list[CostRow]


class WorkerView(BaseModel):
    name: str
    processes: int
    seconds_since_progress: float


class QueueView(BaseModel):
    job_class: Annotated[str, Field(serialization_alias="class")]
    waiting: int
    oldest_seconds: float


class Health(BaseModel):
    status: Literal["ok", "degraded", "down"]
    checks: dict[str, str]
    workers: list[WorkerView] = []
    queues: list[QueueView] = []


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    param: str | None = None
    errors: list[dict[str, Any]] | None = None
