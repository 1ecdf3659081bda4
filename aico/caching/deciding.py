"""Whether one of the kept answers near a question is served for it. Pure; the worker and `explain` both ask here."""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Protocol, TypeVar

from aico.caching.calibration import State
from aico.caching.neighbourhood import Neighbour, ranked, surroundings
from aico.caching.scoring import START_CUT, START_WEIGHTS, features, score
from aico.core.cache_policy import Basis, GuardPolicy
from aico.core.freshness import turn_bound_to_time
from aico.embedding_service.verification.comparison import Comparison, Guard, TextProfile, Verifier, profile

COMPARED = 4  # groups whose nearest question is looked at word by word
_PROFILES = 20_000  # of kept questions, of some kilobytes each

# What a lenient tenant minds: facts, of which an answer to another question holds the wrong ones.
_FACTS = frozenset({Guard.NUMBERS, Guard.UNITS, Guard.QUOTES, Guard.CODE, Guard.LANGUAGE})
MINDED: Mapping[GuardPolicy, frozenset[Guard]] = {
    GuardPolicy.STRICT: frozenset(Guard),
    GuardPolicy.LENIENT: _FACTS,
    GuardPolicy.OFF: frozenset(),
}


class Candidate(Protocol):
    """A kept question."""

    @property
    def question(self) -> str: ...

    @property
    def group(self) -> Hashable: ...

    @property
    def compared(self) -> bool: ...

    @property
    def similarity(self) -> float: ...


C = TypeVar("C", bound=Candidate)


def timely(question: str, candidates: Sequence[C], year: int) -> list[C]:
    """Those whose answers may be young enough. `year` is the present one.

    `Is it open now?` gets no answer to `Is it open?`: that is kept as long as any.
    """
    if not candidates or not turn_bound_to_time(question, year):
        return list(candidates)
    return [one for one in candidates if turn_bound_to_time(one.question, year)]


@dataclass(frozen=True, slots=True)
class Known:
    """Of a namespace."""

    state: State = State.LEARNING
    cut: float | None = None  # None: the start's
    weights: tuple[float, ...] | None = None  # likewise
    judged: bool = False  # answers are compared here; else which of them say the same is not known of any

    @property
    def least(self) -> float:
        return START_CUT if self.cut is None else self.cut

    def score(self, seen: Sequence[float]) -> float:
        return score(seen, self.weights or START_WEIGHTS)

    def unless_outdated(self, basis: Basis, needed: Basis) -> "Known":
        """What of it may be relied on: of a calibration that was for something else, that it serves nothing."""
        if basis.holds(needed):
            return self
        return Known(State.LEARNING if self.state.serves else self.state, judged=self.judged)


class Why(StrEnum):
    """What became of the answer that was looked at."""

    SERVED = "served"
    GUARDED = "guarded"  # the two questions differ in what a guard minds
    SCORE = "score_too_low"
    STATE = "namespace_not_serving"


@dataclass(frozen=True, slots=True)
class Decision:
    place: int  # of the candidate that was looked at
    why: Why
    score: float  # log-odds that its answer serves the question
    features: tuple[float, ...]
    comparison: Comparison

    @property
    def served(self) -> bool:
        return self.why is Why.SERVED

    @property
    def eligible(self) -> bool:
        """It is served, or would be if the namespace were not on probation."""
        return self.why in {Why.SERVED, Why.STATE}


class Decider:
    """Thread-safe; build one per process."""

    def __init__(self, verifier: Verifier, remembered: int = _PROFILES) -> None:
        """`remembered`: of how many kept questions the analysis is held in memory."""
        self._verifier = verifier
        self._profile: Callable[[str], TextProfile] = lru_cache(remembered)(profile)

    def decide(
        self, question: str, candidates: Sequence[Candidate], known: Known, guards: GuardPolicy
    ) -> Decision | None:
        """Of the candidates, nearest first; None without any. At most COMPARED comparisons of texts.

        The first that no guard forbids is looked at.
        """
        refused: Decision | None = None
        for one in self.decisions(question, candidates, known, guards):
            if one.why is not Why.GUARDED:
                return one
            refused = refused or one
        return refused

    def decisions(
        self, question: str, candidates: Sequence[Candidate], known: Known, guards: GuardPolicy
    ) -> Iterator[Decision]:
        """Of each of the first COMPARED groups: about its nearest candidate, as if it were the one to be looked at."""
        if not candidates:
            return
        asked = profile(question)
        neighbours = [Neighbour(one.similarity, one.group, one.compared or not known.judged) for one in candidates]
        for place in ranked(neighbours)[:COMPARED]:
            one = candidates[place]
            comparison = self._verifier.compare_profiles(asked, self._profile(one.question), one.similarity)
            seen = features(comparison.score, one.similarity, surroundings(neighbours, place))
            value = known.score(seen)
            if not MINDED[guards].isdisjoint(comparison.guards):
                why = Why.GUARDED
            else:
                why = Why.SCORE if value < known.least else Why.SERVED if known.state.serves else Why.STATE
            yield Decision(place, why, value, seen, comparison)
