"""Why the cache serves an answer for another question, or does not: what the embed workers tell and the API shows."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from aico.core.cache_policy import NO_BASIS, Basis, GuardPolicy

CacheStanding = Annotated[str, Field(description="Of the namespace, as `GET /v1/cache/namespaces` shows it.")]


class Reason(StrEnum):
    SERVED = "served"
    GUARDED = "guarded"
    SCORE = "score_too_low"
    STATE = "namespace_not_serving"
    FAR = "too_far"
    OLD = "bound_to_its_time"
    UNREAD = "not_wholly_read"


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True)


class Terms(_Told):
    """By what is decided: the tenant's policy, and what is known of the namespace."""

    guards: GuardPolicy
    least_cosine: float
    state: str | None = None  # None: as of a new namespace, and so with the others
    cut: float | None = None
    weights: tuple[float, ...] | None = None
    basis: Basis = NO_BASIS  # of cut and weights
    target: float | None = None  # the error per hit that is allowed


class Part(_Told):
    """What a score is made of: `value` x `weight` = `contribution`, in log-odds; above 0 it speaks for serving."""

    name: str
    value: float
    weight: float
    contribution: float


class Objection(_Told):
    """A guard that sees a difference."""

    name: str
    why: str
    forbids: Annotated[bool, Field(description="Whether the policy lets it forbid a hit.")]


class Pair(_Told):
    """What the verifier sees between the two texts, whatever the namespace."""

    score: Annotated[float, Field(description="Its probability that one answer serves both.")]
    features: Annotated[
        list[Part],
        Field(
            description="Those that are not 0, and the bias. They add up to the score's log-odds, but for texts that"
            " differ in nothing that has a meaning: their score is 0.995."
        ),
    ]


class Verdict(_Told):
    """What the namespace makes of it; without one, what a new namespace would."""

    log_odds: Annotated[float, Field(description="That the kept answer serves the question.")]
    probability: Annotated[float, Field(description="The same, from 0 to 1.")]
    features: Annotated[list[Part], Field(description="They add up to the log-odds.")]
    cut: Annotated[float, Field(description="The least log-odds that are served.")]
    cut_probability: float
    state: CacheStanding


class Explanation(_Told):
    """The answer to one question held against another, as if it were the only one kept near it."""

    served: bool
    reason: Reason
    why: Annotated[str, Field(description="A sentence.")]
    asked_read: Annotated[
        bool, Field(description="Whether the embedding model reads all of it; else it is compared with nothing.")
    ]
    kept_read: bool
    cosine: Annotated[float | None, Field(description="Null where one of the texts is not wholly read.")] = None
    least_cosine: Annotated[float, Field(description="Kept questions that are further off are not looked at.")]
    guard_policy: GuardPolicy
    guards: list[Objection] = []
    pair: Pair | None = None
    verdict: Verdict | None = None
