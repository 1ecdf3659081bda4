"""What goes over the wire about how good answers were."""

from datetime import date
from typing import Annotated, Self

from pydantic import BaseModel, Field

from aico.core.estimates import wilson
from aico.store.outcomes import Compared, Judged, Source

Low = Annotated[float, Field(description="Wilson's lower bound at 95 %: what can be relied upon.")]
High = Annotated[float, Field(description="Wilson's upper bound at 95 %.")]


class OutcomeRow(BaseModel):
    """Of one model, task and source. Judges of different weight are not mixed."""

    model: str
    task: Annotated[str | None, Field(description="As it was read off the prompt; null: not known.")]
    source: Source
    n: Annotated[int, Field(description="Answers that were judged.")]
    mean: Annotated[float, Field(description="Of qualities from 0 to 1.")]
    low: Low
    high: High

    @classmethod
    def of(cls, row: Judged) -> Self:
        # Of qualities between 0 and 1 the interval of a rate is the widest that there can be.
        total = min(max(row.quality, 0.0), float(row.judged))
        interval = wilson(total, row.judged)
        return cls(
            model=row.model,
            task=row.task or None,
            source=row.source,
            n=row.judged,
            mean=total / row.judged,
            low=interval.low,
            high=interval.high,
        )


class PairRow(BaseModel):
    """Two models whose answers to the same questions were compared."""

    model: str
    rival: str
    wins: Annotated[int, Field(description="Of `model`.")]
    ties: int
    losses: int
    win_rate: Annotated[float | None, Field(description="Of the pairs that were no ties; null: there were none.")]
    low: Low
    high: High

    @classmethod
    def of(cls, row: Compared) -> Self:
        decided = row.wins + row.losses
        interval = wilson(row.wins, decided)
        return cls(
            model=row.model,
            rival=row.rival,
            wins=row.wins,
            ties=row.ties,
            losses=row.losses,
            win_rate=row.wins / decided if decided else None,
            low=interval.low,
            high=interval.high,
        )


class OutcomesView(BaseModel):
    since: date
    outcomes: list[OutcomeRow]
    pairs: list[PairRow]
