"""What goes over the wire about the sums that a dashboard shows."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field

from aico.core.metrics import Dimension, Grain, Period
from aico.store.metrics import Sums

Milliseconds = Annotated[
    int | None,
    Field(
        description="Of answered jobs that somebody waited for, from when a job was stored until its end, at most 6 %"
        " beside the truth. Null: there were none."
    ),
]
Seq = Annotated[int, Field(description="Of the latest tick that these figures hold: older ticks say nothing new.")]


class Hits(BaseModel):
    """Answers that needed no call of their own, by what they came from."""

    exact: int
    semantic: int
    shared: int


class HitRates(BaseModel):
    """Shares of the answers; null without any."""

    exact: float | None
    semantic: float | None
    shared: float | None


class Figures(BaseModel):
    requests: Annotated[int, Field(description="Jobs that ended with an attempt, but for cancelled ones.")]
    answered: int
    failed: int
    hits: Hits
    attempts: Annotated[int, Field(description="Several where one failed, and those that compare answers.")]
    failed_attempts: int
    unpriced_attempts: Annotated[int, Field(description="Attempts without a known price; not in the sums.")]
    input_tokens: int
    output_tokens: int
    cost_cents: Decimal
    baseline_cost_cents: Annotated[Decimal, Field(description="Of attempts whose own cost is known.")]
    saved_cents: Annotated[Decimal, Field(description="Negative where it cost more.")]
    latency_ms_p50: Milliseconds
    latency_ms_p95: Milliseconds

    @staticmethod
    def of(sums: Sums) -> dict[str, Any]:
        """Fields of one."""
        return {
            "requests": sums.requests,
            "answered": sums.answered,
            "failed": sums.requests - sums.answered,
            "hits": Hits(exact=sums.exact_hits, semantic=sums.semantic_hits, shared=sums.shared_hits),
            "attempts": sums.attempts,
            "failed_attempts": sums.failed_attempts,
            "unpriced_attempts": sums.unpriced_attempts,
            "input_tokens": sums.input_tokens,
            "output_tokens": sums.output_tokens,
            "cost_cents": sums.cost_cents,
            "baseline_cost_cents": sums.baseline_cost_cents,
            "saved_cents": sums.baseline_cost_cents - sums.cost_cents,
            "latency_ms_p50": sums.latency_ms_p50,
            "latency_ms_p95": sums.latency_ms_p95,
        }


class PeriodView(BaseModel):
    grain: Grain
    since: Annotated[datetime, Field(description="The begin of the first bucket.")]
    until: Annotated[datetime, Field(description="The end of the last one.")]
    seq: Seq

    @staticmethod
    def fields_of(period: Period, seq: int) -> dict[str, Any]:
        return {"grain": period.grain, "since": period.since, "until": period.until, "seq": seq}


class Overview(PeriodView, Figures):
    hit_rates: HitRates

    @classmethod
    def build(cls, period: Period, seq: int, sums: Sums) -> Self:
        hits = {name: getattr(sums, f"{name}_hits") for name in HitRates.model_fields}
        rates = {name: count / sums.answered if sums.answered else None for name, count in hits.items()}
        return cls(**cls.fields_of(period, seq), **cls.of(sums), hit_rates=HitRates(**rates))


class Point(Figures):
    at: Annotated[datetime, Field(description="The begin of the bucket.")]


class Line(BaseModel):
    name: Annotated[str | None, Field(description="Null without `by`. `(other)`: all that are not named.")]
    points: Annotated[list[Point], Field(description="Buckets in which something ended, oldest first.")]


class Series(PeriodView):
    by: Dimension | None
    series: Annotated[list[Line], Field(description="The dearest name first; empty where nothing ended.")]

    @classmethod
    def build(cls, period: Period, seq: int, by: Dimension | None, rows: Iterable[Sums]) -> Self:
        points: dict[str, list[Point]] = {}
        for row in rows:
            points.setdefault(row.name, []).append(Point(**{**Figures.of(row), "at": row.at}))
        lines = [Line(name=None if by is None else name, points=found) for name, found in points.items()]
        return cls(**cls.fields_of(period, seq), by=by, series=lines)


class BreakdownRow(Figures):
    name: Annotated[str, Field(description="Of a model, after its provider's and a slash. `(other)`: all others.")]


class Breakdown(PeriodView):
    by: Dimension
    rows: Annotated[list[BreakdownRow], Field(description="The dearest first.")]

    @classmethod
    def build(cls, period: Period, seq: int, by: Dimension, rows: Iterable[Sums]) -> Self:
        shown = [BreakdownRow(**Figures.of(row), name=row.name) for row in rows]
        return cls(**cls.fields_of(period, seq), by=by, rows=shown)
