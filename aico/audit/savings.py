"""The parts of a saving in the order in which the service would make them, so that nothing is saved twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from aico.audit import offline
from aico.audit.caching import EXACT, NEAR, Served, doubtful, lives_of, serve_both, serve_exact
from aico.audit.gather import Log
from aico.audit.offline import LOOSE, STRICT
from aico.audit.prefixes import Prefixes
from aico.audit.pricing import Pricer
from aico.audit.routes import CAUTION, Routes
from aico.audit.state import Cents, State
from aico.core.cache_policy import GuardPolicy
from aico.core.embedding import LEAST_SIMILARITY
from aico.routing.models import Model

_Mask = NDArray[np.bool_]


class PartName(StrEnum):
    """In the order in which the service makes them."""

    EXACT = "exact"
    SEMANTIC = "semantic"
    ROUTE = "route"
    PREFIX = "prefix"
    BATCH = "batch"


@dataclass(frozen=True)
class Question:
    """What is asked of a log: the settings of the service that is thought in front of it."""

    ttl: float = 604_800.0  # seconds that an answer is kept
    short_ttl: float = 900.0  # likewise, one that is soon out of date
    threshold: float = LEAST_SIMILARITY  # cosine below which no kept question is looked at
    guards: GuardPolicy = GuardPolicy.STRICT
    floor: float = 0.0  # least rank of a model that is routed to
    models: Sequence[Model] = ()  # that may be routed to


@dataclass(frozen=True)
class Reading:
    """By part, US cents saved by row. Shape (calls,)."""

    parts: Mapping[PartName, Cents]
    models: Sequence[str]  # by row: which model answers in the end

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Shape (parts + 1, calls); the last row is the total."""
        rows = np.vstack([self.parts[name] for name in PartName])
        return np.vstack([rows, rows.sum(axis=0)])


@dataclass(frozen=True)
class Savings:
    """`cautious` counts what is probable, `hopeful` what is possible."""

    cost: Cents  # by row; NaN where no price is known
    served: Served
    doubtful: NDArray[np.bool_]  # by row: near hits that the cautious reading leaves out
    cautious: Reading
    hopeful: Reading
    alone: Mapping[PartName, float]  # cents, hopeful, had the service only this part


def save(log: Log, pricer: Pricer, question: Question) -> Savings:
    start = State.before(log, pricer)
    lives = lives_of(log, question.ttl, question.short_ttl)
    exact = serve_exact(log, lives)
    served = serve_both(log, lives, question.threshold, question.guards)
    strict, loose = offline.offline(log, STRICT), offline.offline(log, LOOSE)
    doubts, careful = doubtful(log, served), Routes(question.models, margin=CAUTION, floor=question.floor)
    hits, near = served.mask(EXACT), served.mask(NEAR)
    cautious = _in_order(start.copy(), (hits, near & ~doubts), careful, strict)
    bold = Routes(question.models, floor=question.floor)
    hopeful = _in_order(start.copy(), (hits, near), bold, loose | strict, automatic=True)
    alone = {
        PartName.EXACT: start.copy().serve(exact.mask(EXACT)),
        PartName.SEMANTIC: start.copy().serve(served.how != 0),
        PartName.ROUTE: Routes(question.models, floor=question.floor).save(start.copy()),
        PartName.PREFIX: Prefixes(automatic=True).save(start.copy()),
        PartName.BATCH: offline.save(start.copy(), loose | strict),
    }
    sums = {name: float(by.sum()) for name, by in alone.items()}
    return Savings(start.cents, served, doubts, cautious, hopeful, sums)


def _in_order(
    state: State, hits: tuple[_Mask, _Mask], routes: Routes, waits: _Mask, *, automatic: bool = False
) -> Reading:
    parts = {
        PartName.EXACT: state.serve(hits[0]),
        PartName.SEMANTIC: state.serve(hits[1]),
        PartName.ROUTE: routes.save(state),
        PartName.PREFIX: Prefixes(automatic=automatic).save(state),
        PartName.BATCH: offline.save(state, waits),
    }
    return Reading(parts, [named.key for named in state.named])
