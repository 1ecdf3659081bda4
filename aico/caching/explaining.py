"""Why one answer would be served for another question, in words and figures. Decided by the worker's own code."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aico.caching.calibration import State
from aico.caching.deciding import MINDED, Decider, Decision, Known, timely
from aico.caching.scoring import FEATURES, START_WEIGHTS, probability
from aico.core.cache_policy import Basis
from aico.core.explanation import Explanation, Objection, Pair, Part, Reason, Terms, Verdict
from aico.embedding_service.verification.comparison import Comparison
from aico.embedding_service.verification.weights import BIAS, WEIGHTS

_STATES = {State.PROBATION: "on probation", State.SUSPENDED: "suspended"}


@dataclass(frozen=True, slots=True)
class _Alone:
    """The kept question, without any other near it."""

    question: str
    similarity: float
    group: int = 0
    compared: bool = True


def unread(terms: Terms, *, asked_read: bool, kept_read: bool) -> Explanation:
    """Of texts of which the embedding model does not read one wholly, or neither."""
    which = "either question" if not asked_read and not kept_read else f"the {'kept' if asked_read else 'new'} question"
    return Explanation(
        served=False,
        reason=Reason.UNREAD,
        why=f"The embedding model does not read all of {which}, so they are never compared.",
        asked_read=asked_read,
        kept_read=kept_read,
        least_cosine=terms.least_cosine,
        guard_policy=terms.guards,
    )


def explained(
    decider: Decider, asked: str, kept: str, cosine: float, terms: Terms, needed: Basis, year: int
) -> Explanation:
    """Of texts that the embedding model reads wholly. One comparison of texts. `year` is the present one."""
    state = State.LEARNING if terms.state is None else State(terms.state)
    known = Known(state, terms.cut, terms.weights).unless_outdated(terms.basis, needed)
    alone = [_Alone(kept, cosine)]
    decision = decider.decide(asked, alone, known, terms.guards)
    if decision is None:
        raise RuntimeError("of one candidate there is a decision")
    reason = Reason(decision.why.value)
    if cosine < terms.least_cosine:
        reason = Reason.FAR
    elif not timely(asked, alone, year):
        reason = Reason.OLD
    return Explanation(
        served=reason is Reason.SERVED,
        reason=reason,
        why=_sentence(reason, decision, known, terms),
        asked_read=True,
        kept_read=True,
        cosine=cosine,
        least_cosine=terms.least_cosine,
        guard_policy=terms.guards,
        guards=[
            Objection(name=guard.value, why=guard.why, forbids=guard in MINDED[terms.guards])
            for guard in decision.comparison.guards
        ],
        pair=_pair(decision.comparison),
        verdict=_verdict(decision, known),
    )


def _pair(comparison: Comparison) -> Pair:
    seen = [(name, value, WEIGHTS.get(name, 0.0)) for name, value in comparison.named().items() if value]
    return Pair(score=comparison.score, features=_parts([("bias", 1.0, BIAS), *seen]))


def _verdict(decision: Decision, known: Known) -> Verdict:
    weights: Sequence[float] = known.weights or START_WEIGHTS
    return Verdict(
        log_odds=decision.score,
        probability=probability(decision.score),
        features=_parts(zip(FEATURES, decision.features, weights, strict=True)),
        cut=known.least,
        cut_probability=probability(known.least),
        state=known.state,
    )


def _parts(seen: Iterable[tuple[str, float, float]]) -> list[Part]:
    return [Part(name=name, value=value, weight=weight, contribution=value * weight) for name, value, weight in seen]


def _sentence(reason: Reason, decision: Decision, known: Known, terms: Terms) -> str:
    scored = f"It scores {probability(decision.score):.4f}"
    least = f"{probability(known.least):.4f} is the least that is served"
    match reason:
        case Reason.FAR:
            return f"Their cosine is too low: kept questions below {terms.least_cosine:.3f} are not looked at."
        case Reason.OLD:
            return "The new question is bound to its time, the kept one is not: its answer may be out of date."
        case Reason.GUARDED:
            forbidding = [guard for guard in decision.comparison.guards if guard in MINDED[terms.guards]]
            return f"Forbidden by {', '.join(forbidding)}: {forbidding[0].why}"
        case Reason.STATE:
            return f"{scored}, which is enough, but the namespace is {_STATES[known.state]}."
        case Reason.SCORE:
            return f"{scored}, and {least}."
        case _:
            return f"{scored}, where {least}, and no guard forbids it."
