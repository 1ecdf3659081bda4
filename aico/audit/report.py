"""What an audit says, as numbers. The JSON that `aico audit --json` prints is this, field by field."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict

SCHEMA = 2  # changes when a field changes its meaning or goes away


class Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class UnreadLine(Value):
    file: str
    line: int
    why: str


class LinesRead(Value):
    calls: int
    batch_results: int
    unreadable: int
    set_aside: int
    formats: Mapping[str, int]
    why_unreadable: Mapping[str, int]
    why_set_aside: Mapping[str, int]
    first_unreadable: Sequence[UnreadLine]


class Spend(Value):
    model: str
    provider: str | None
    rank: float | None  # in the catalogue
    calls: int
    cents: Decimal | None  # None: of none of its calls


class Logged(Value):
    calls: int
    since: datetime | None
    until: datetime | None
    cents: Decimal  # of the calls whose cost is known
    calls_without_cost: int
    models: Sequence[Spend]


class Range(Value):
    """US cents by two readings of the log; `low` and `high` bound both with 95 % confidence.

    A reading that hopes for more of one part leaves less to the next: `hopeful` need not be the larger.
    """

    cautious: Decimal
    hopeful: Decimal
    low: Decimal
    high: Decimal


class Part(Value):
    name: Literal["exact", "semantic", "route", "prefix", "batch", "total"]
    calls: int  # that it touches, in the hopeful reading
    cents: Range
    share: float  # hopeful, of the cost
    alone: Decimal | None  # cents, hopeful, had the service this part alone; parts overlap, so these do not add up


class Agreement(Value):
    """Served calls whose own answer, which the log holds, has the words of the answer that would have been served."""

    same: int
    known: int
    low: float
    high: float


class Evidence(Value):
    exact: Agreement
    semantic: Agreement
    doubtful_hits: int  # semantic ones whose numbers differ, or whose short answers do; the cautious reading has none
    answer_age_seconds: float | None  # within which 95 % of the answers were served again
    blocks: int  # that the intervals were drawn from
    unranked_calls: int  # by models that the catalogue has no rank for: never routed
    varied_calls: int  # with a temperature above 0 or several answers: not cached
    compared_share: float  # of the last turns, in the sample that was asked for
    unsearched_calls: int  # with nothing to be compared with, or too long to be


class Report(Value):
    version: int = SCHEMA
    lines: LinesRead
    log: Logged
    parts: Sequence[Part]
    total: Part
    evidence: Evidence
    question: Mapping[str, float | int | str | None]  # the settings that were assumed
    notes: Sequence[str]
    warnings: Sequence[str]
