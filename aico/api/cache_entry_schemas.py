"""What goes over the wire about kept answers and their namespaces."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from aico.api.paging import Page
from aico.core.inputs import Count, ModelName, Tag
from aico.core.jobs import Answer, RoutingReport
from aico.store.cache_entries import Entry, Size, Which
from aico.store.cache_namespaces import Namespace, State

MAX_TTL_SECONDS = 315_360_000  # ten years
NAMESPACE_PATTERN = "^[0-9a-f]{64}$"
NamespaceName = Annotated[str, Field(pattern=NAMESPACE_PATTERN, description="As entries and the list name it.")]


class CacheEntryView(BaseModel):
    """A kept answer. Its provenance is the job that paid for it, and how that was routed."""

    id: UUID
    namespace: str
    question: Annotated[str | None, Field(description="Null: it is served to the same request alone.")]
    model: str
    tags: list[str]
    created_at: datetime
    expires_at: datetime
    hits: Annotated[int, Field(description="How often it was served again; brought up to date every second.")]
    hit_at: datetime | None
    good: Annotated[int, Field(description="Judgements of it, by callers, and as an answer to other questions.")]
    bad: int
    bytes: int
    job_id: Annotated[UUID, Field(validation_alias="job")]
    routing: RoutingReport

    @classmethod
    def of(cls, entry: Entry) -> Self:
        return cls.model_validate(entry, from_attributes=True)


class CacheEntryDetail(CacheEntryView):
    answer: Answer


class CacheEntryPage(Page[CacheEntryView]):
    pass


class Selection(BaseModel):
    """Which answers are meant: by one of these, and no more."""

    model_config = ConfigDict(extra="forbid")

    tag: Annotated[Tag | None, Field(description="Of the jobs that paid for them.")] = None
    namespace: NamespaceName | None = None
    model: Annotated[ModelName | None, Field(description="That answered.")] = None
    all: bool = False

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum((self.tag is not None, self.namespace is not None, self.model is not None, self.all)) != 1:
            raise ValueError("give exactly one of `tag`, `namespace`, `model` and `all`=true")
        return self

    @property
    def which(self) -> Which:
        if self.tag is not None:
            return Which("tag", self.tag)
        if self.namespace is not None:
            return Which("namespace", self.namespace)
        return Which("all") if self.model is None else Which("model", self.model)


class Forgotten(BaseModel):
    entries: Annotated[int, Field(description="How many answers were deleted.")]


class NamespaceView(BaseModel):
    """Questions that may share answers: all that their requests have in common but the last turn."""

    namespace: str
    label: Annotated[
        str | None, Field(description="How its instructions begin; null for whoever may not read prompts.")
    ]
    entries: int
    bytes: int
    ttl_seconds: Annotated[int | None, Field(description="Null: as long as the tenant's other answers.")]
    created_at: datetime
    state: Annotated[
        State,
        Field(
            description="`learning`: only what is nearly the same is served; `serving`: what scores at least the cut;"
            " `probation`: nothing, until it is known whether an error was one of few; `suspended`: nothing."
        ),
    ]
    cut: Annotated[float | None, Field(description="The least score that is served, in log-odds; null: the service's.")]
    bound: Annotated[float | None, Field(description="Of the error per hit at that cut.")]
    target: Annotated[float | None, Field(description="The error per hit that is allowed; null: the service's.")]
    judged: Annotated[int, Field(description="Samples that the cut was computed of,")]
    above: Annotated[int, Field(description="of these at or above the cut,")]
    wrong: Annotated[int, Field(description="and of these with the wrong answer.")]
    evidence_since: Annotated[datetime | None, Field(description="Earlier verdicts no longer count.")]

    @classmethod
    def of(cls, one: Namespace, *, words: bool = True) -> Self:
        """`words`: with what was said in prompts."""
        view = cls.model_validate(one, from_attributes=True)
        return view if words else view.model_copy(update={"label": None})


class NamespacePage(BaseModel):
    data: list[NamespaceView]
    has_more: bool
    next: Annotated[str | None, Field(description="Give as `after` to read on.")] = None

    @classmethod
    def of(cls, found: Sequence[Namespace], limit: int) -> Self:
        """`found` has one more than the page where there is more."""
        more = len(found) > limit
        views = [NamespaceView.of(one) for one in found[:limit]]
        return cls(data=views, has_more=more, next=views[-1].namespace if more else None)


class NamespaceChange(BaseModel):
    model_config = ConfigDict(extra="forbid")

    ttl_seconds: Annotated[
        Count | None,
        Field(ge=1, le=MAX_TTL_SECONDS, description="How long its answers are kept; null: as the tenant's others."),
    ]


class CacheHits(BaseModel):
    exact: int
    semantic: int
    shared: Annotated[int, Field(description="By one call for several who asked the same at once.")]


class CacheStats(BaseModel):
    """What is kept, as it was last added up, a second ago or two; and what was served of it, by the ledger's sums."""

    entries: int
    bytes: int
    max_entries: int
    max_bytes: int
    since: datetime
    until: datetime
    answers: Annotated[int, Field(description="All answers of that time, models' and the cache's.")]
    hits: CacheHits
    hit_rate: Annotated[
        float | None, Field(description="Exact and semantic hits among these answers; null: there were none.")
    ]
    target: Annotated[float, Field(description="The error per hit that is allowed, by the tenant or the service.")]
    states: Annotated[dict[State, int], Field(description="How many namespaces are in each.")]
    namespaces: Annotated[list[NamespaceView], Field(description="Those with the most entries.")]

    @staticmethod
    def least(size: Size, service: int) -> int:
        return service if size.most is None else min(size.most, service)
