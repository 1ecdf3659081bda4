"""The audit of a log: what a service with these settings would have saved, and how sure that is."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from aico.audit.caching import EXACT, NEAR, agreement
from aico.audit.gather import Log
from aico.audit.intervals import blocks_of, share_intervals
from aico.audit.notes import notes, warnings
from aico.audit.pricing import Pricer, exact_cents
from aico.audit.reading import Lines
from aico.audit.report import Agreement, Evidence, LinesRead, Logged, Part, Range, Report, Spend, UnreadLine
from aico.audit.savings import PartName, Question, Savings, save
from aico.core.estimates import Interval, wilson
from aico.embedding_service.verification.weights import CONSERVATIVE

_AGE_SHARE = 0.95


def audit(log: Log, lines: Lines, pricer: Pricer, question: Question, *, embedded: bool) -> tuple[Report, Savings]:
    """Pure, but for the time that it takes: O(n * m) comparisons for n calls and m kept answers of a namespace."""
    savings = save(log, pricer, question)
    parts, blocks = _parts(log, savings)
    evidence = _evidence(log, savings, blocks)
    report = Report(
        lines=_lines(lines),
        log=_logged(log, savings),
        parts=parts[:-1],
        total=parts[-1],
        evidence=evidence,
        question={
            "cache_ttl_seconds": question.ttl,
            "cache_short_ttl_seconds": question.short_ttl,
            "similarity_threshold": question.threshold if embedded else None,
            "cache_guards": question.guards.value if embedded else None,
            "least_score": CONSERVATIVE if embedded else None,
            "quality_floor": question.floor,
            "models": len(question.models),
        },
        notes=(),
        warnings=(),
    )
    said = {"notes": notes(report, embedded=embedded), "warnings": warnings(report, log, embedded=embedded)}
    return report.model_copy(update=said), savings


def _parts(log: Log, savings: Savings) -> tuple[list[Part], int]:
    cautious, hopeful = savings.cautious.matrix, savings.hopeful.matrix
    blocks = blocks_of(log.rows, timed=log.timed)
    low, count = share_intervals(cautious, savings.cost, blocks)
    high, _ = share_intervals(hopeful, savings.cost, blocks)
    spent = float(np.nansum(savings.cost))
    near = list(PartName).index(PartName.SEMANTIC)
    unseen = max(0.0, min(1.0, high[near].high / log.compared**2) - high[near].high)
    made = [
        Part(
            name=name.value if name is not None else "total",
            calls=int((hopeful[place] != 0).sum()),
            cents=Range(
                cautious=exact_cents(float(cautious[place].sum())),
                hopeful=exact_cents(float(hopeful[place].sum())),
                low=exact_cents(min(low[place].low, high[place].low) * spent),
                high=exact_cents(
                    _most(low[place], high[place], unseen if name in {None, PartName.SEMANTIC} else 0) * spent
                ),
            ),
            share=float(hopeful[place].sum()) / spent if spent else 0.0,
            alone=exact_cents(savings.alone[name]) if name is not None else None,
        )
        for place, name in enumerate([*PartName, None])
    ]
    return made, count


def _most(one: Interval, other: Interval, unseen: float) -> float:
    """`unseen` is what a sample may have missed: both calls of a pair are in it with the square of its size."""
    return min(1.0, max(one.high, other.high) + unseen)


def _lines(lines: Lines) -> LinesRead:
    return LinesRead(
        calls=lines.calls,
        batch_results=lines.results,
        unreadable=lines.unreadable.total(),
        set_aside=lines.aside.total(),
        formats={name.value: count for name, count in sorted(lines.formats.items())},
        why_unreadable=dict(lines.unreadable.most_common()),
        why_set_aside=dict(lines.aside.most_common()),
        first_unreadable=[UnreadLine(file=file, line=line, why=why) for file, line, why in lines.shown],
    )


def _logged(log: Log, savings: Savings) -> Logged:
    known = ~np.isnan(savings.cost)
    return Logged(
        calls=len(log.rows),
        since=_moment(log.rows[0].at) if log.rows else None,
        until=_moment(log.rows[-1].at) if log.rows else None,
        cents=exact_cents(float(np.nansum(savings.cost))),
        calls_without_cost=int((~known).sum()),
        models=_spends(log, savings.cost),
    )


def _spends(log: Log, cost: NDArray[np.float64]) -> list[Spend]:
    places: Mapping[tuple[str, str | None], list[int]] = defaultdict(list)
    for place, row in enumerate(log.rows):
        places[row.named.key, row.named.provider].append(place)
    spends = [
        Spend(
            model=key,
            provider=provider,
            rank=None if (model := log.rows[where[0]].named.model) is None else model.quality,
            calls=len(where),
            cents=None if np.isnan(cost[where]).all() else exact_cents(float(np.nansum(cost[where]))),
        )
        for (key, provider), where in places.items()
    ]
    return sorted(spends, key=lambda one: (-(one.cents or Decimal(0)), -one.calls, one.model))


def _evidence(log: Log, savings: Savings, blocks: int) -> Evidence:
    served = savings.served
    ages = served.ages[served.how != 0]
    return Evidence(
        exact=_agreed(*agreement(log, served, EXACT)),
        semantic=_agreed(*agreement(log, served, NEAR)),
        doubtful_hits=int(savings.doubtful.sum()),
        answer_age_seconds=float(np.quantile(ages, _AGE_SHARE)) if len(ages) and log.timed else None,
        blocks=blocks,
        unranked_calls=sum(row.named.model is None for row in log.rows),
        varied_calls=sum(not row.cacheable for row in log.rows),
        compared_share=log.compared,
        unsearched_calls=sum(row.vector < 0 for row in log.rows),
    )


def _agreed(same: int, known: int) -> Agreement:
    bounds = wilson(same, known)
    return Agreement(same=same, known=known, low=bounds.low, high=bounds.high)


def _moment(at: float | None) -> datetime | None:
    return None if at is None else datetime.fromtimestamp(at, UTC)
