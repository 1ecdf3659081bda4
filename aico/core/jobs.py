import operator
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from aico.core.chat import Choice
from aico.core.strategies import StrategyName


class JobStatus(StrEnum):
    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    INCOMPLETE = "incomplete"

    @property
    def final(self) -> bool:
        return self not in {JobStatus.QUEUED, JobStatus.IN_PROGRESS}


class JobClass(StrEnum):
    """Who waits: a person, a program, or nobody. Each class has a queue of its own."""

    INTERACTIVE = "interactive"
    STANDARD = "standard"
    BATCH = "batch"


class CacheMode(StrEnum):
    OFF = "off"  # neither read nor written
    EXACT = "exact"  # only an identical request is served again
    SEMANTIC = "semantic"  # also one that means the same
    REFRESH = "refresh"  # not read, but the new answer is kept

    @property
    def reads(self) -> bool:
        """Whether an answer that is kept may be served."""
        return self in {CacheMode.EXACT, CacheMode.SEMANTIC}


class CachePersonal(StrEnum):
    """What becomes of a personal question of a user whom the caller names."""

    USER = "user"  # his answers are served to him alone
    NEVER = "never"  # its answer is neither looked for nor kept


class CacheState(StrEnum):
    MISS = "miss"
    EXACT = "exact"
    SEMANTIC = "semantic"
    SHARED = "shared"  # one call answered several who asked at once
    BYPASS = "bypass"


# What became of a draft: it was good enough; a better model answered; or no better one did, and it stayed.
Verified = Literal["passed", "escalated", "kept"]


class RoutingReport(BaseModel):
    """How an answer came about; shown with every finished job. Costs are US cents as decimal strings."""

    model_config = ConfigDict(frozen=True)

    provider: str
    model: str
    strategy: str
    cache: CacheState
    confidence: str | None = None
    score: float | None = None
    reasons: tuple[str, ...] = ()
    similarity: float | None = None
    # Of a hit by meaning alone:
    cache_score: float | None = None  # the probability, as it was thought, that the answer serves this question
    error_bound: float | None = None  # of the namespace's error per hit; absent while nothing is known of it
    error_target: float | None = None  # the error per hit that the tenant allowed
    judged: int | None = None  # samples of which the bound was computed
    cost_cents: str | None = None
    baseline_model: str | None = None
    baseline_cost_cents: str | None = None
    attempts: int = 0
    task: str | None = None  # what kind of question it was taken for
    lane: Literal["batch"] | None = None  # the provider's batch lane answered, at its discount
    arms: tuple[str, ...] = ()  # of the holdout and of experiments, into which the job was drawn
    verified: Verified | None = None  # what became of a draft; absent where none was checked


class Answer(Choice):
    """A job's answer, with the tokens that it took when it was made: a hit shows those of the call that it repeats."""

    input_tokens: Annotated[int, Field(ge=0)]
    output_tokens: Annotated[int, Field(ge=0)]
    cached_tokens: Annotated[int, Field(ge=0, exclude_if=operator.not_)] = 0  # of the input: of a provider's cache
    reasoning_tokens: Annotated[int, Field(ge=0, exclude_if=operator.not_)] = 0  # of the output, not shown
    more: Annotated[tuple[Choice, ...], Field(exclude_if=operator.not_)] = ()  # where several choices were asked for


class Controls(BaseModel):
    """What a caller says about one job beside the question itself. What is left out follows the tenant's policy."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    baseline_model: str | None = None  # what the saving is measured against
    quality_floor: Annotated[float, Field(ge=0, le=1)] | None = None  # no model of a lower rank answers
    max_cost_cents: Annotated[Decimal, Field(gt=0)] | None = None  # of all attempts together
    max_staleness_seconds: Annotated[float, Field(ge=0)] | None = None  # the oldest answer that may be served again
    fallback: bool | None = None  # whether another model may answer where the one that was asked for fails
    strategy: StrategyName | None = None  # by which the model is chosen
    wait_for_similar: bool | None = None  # whether it may wait for the answer to much the same question


NO_CONTROLS = Controls()


class Surface(StrEnum):
    """Through which door a job came, which decides how its answer is shown there."""

    JOB = "job"
    CHAT = "chat"
    RESPONSE = "response"


class JobError(BaseModel):
    model_config = ConfigDict(frozen=True)

    code: str
    message: str


class Stage(StrEnum):
    """Where a job is on its way, as long as it has not ended."""

    EMBED = "embed"
    AWAIT = "await"  # waits for the answer to another job that asks much the same
    ROUTE = "route"
    LANE = "lane"  # in a provider's batch, or about to be
    FOLLOW = "follow"  # waits for the answer to another job that asks the same


class PutBackEntry(BaseModel):
    """Why a job was put back into its queue, and until when it was held."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    reason: str
    message: str
    run_after: datetime | None = None


class Job(BaseModel):
    """A job as its tenant sees it."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    status: JobStatus
    stage: Stage
    job_class: JobClass
    created_at: datetime
    deadline: datetime
    finished_at: datetime | None = None
    admitted: bool
    run_after: datetime | None = None
    retries: int = 0
    history: tuple[PutBackEntry, ...] = ()
    replay_of: UUID | None = None
    replayed_as: UUID | None = None
    model: str  # as it was asked for
    metadata: dict[str, str] = {}
    tags: tuple[str, ...] = ()
    controls: Controls = NO_CONTROLS
    surface: Surface = Surface.JOB
    echo: dict[str, Any] = {}  # what that door shows again; of the rest only webhooks look at it: at `background`
    streams: bool = False  # pieces of its answer are published as they come
    fence: int = 0  # how often it was taken on
    batch_id: UUID | None = None
    batch_line: int | None = None  # from 1
    custom_id: str | None = None  # the caller's name of that line
    answer: Answer | None = None
    routing: RoutingReport | None = None
    error: JobError | None = None
