"""The model that the tenant's own outcomes expect most of, for what it costs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from aico.core.chat import AUTO_MODEL
from aico.routing.strategies.complexity import STRATEGY as COMPLEXITY
from aico.routing.strategies.complexity import ComplexityStrategy
from aico.routing.strategies.exploring import explore
from aico.routing.strategies.protocol import Ask, Confidence, Decision, able, permitted
from aico.routing.strategies.standalone import Standalone
from aico.routing.strategies.valuing import (
    TARGET,
    Valued,
    confidence,
    expectations,
    in_words,
    models_of,
    usable,
    valued,
)

STRATEGY = "learning"
VERSION = "learning-1"

_COMPLEXITY = ComplexityStrategy()


@dataclass(frozen=True)
class Settled:
    """What is decided where value and complexity were held against each other."""

    ordered: Sequence[Valued]
    reasons: tuple[str, ...] = ()
    overruled: bool = False  # complexity has it against what was learned


class LearningStrategy(Standalone):
    def decide(self, ask: Ask) -> Decision:
        """See Strategy.decide. Until there are enough outcomes, and for named models and leanings, by complexity."""
        return by_value(ask, STRATEGY, VERSION, lambda ordered, _: Settled(ordered))


def by_value(ask: Ask, strategy: str, version: str, settle: Callable[[Sequence[Valued], str], Settled]) -> Decision:
    """`settle` is given the models by value, and which one complexity would choose; it is asked where both can tell."""
    plain = _COMPLEXITY.decide(ask)
    learned = usable(ask.learned)
    if learned is None or ask.policy.model != AUTO_MODEL:
        return _by_complexity(ask, plain, strategy, version)
    target = TARGET if ask.policy.quality_target is None else ask.policy.quality_target
    ordered = valued(learned, ask.features, permitted(able(ask.features, ask.models), ask.policy), target)
    settled = settle(ordered, plain.candidates[0].id)
    decided = replace(
        plain,
        candidates=models_of(settled.ordered),
        strategy=strategy,
        confidence="low" if settled.overruled else confidence(settled.ordered),
        reasons=(*in_words(ordered, learned, target), *settled.reasons),
        policy_version=f"{version}/learned-{learned.version}",
        expected=expectations(ordered),
    )
    return _explored(ask, decided)


def _by_complexity(ask: Ask, plain: Decision, strategy: str, version: str) -> Decision:
    """Complexity's decision under another strategy's name. Something is tried only where outcomes are learned from."""
    if ask.policy.model != AUTO_MODEL:
        return plain if plain.strategy != COMPLEXITY else replace(plain, strategy=strategy)
    if ask.learned is None:
        return replace(plain, strategy=strategy, policy_version=f"{version}/{plain.policy_version}")
    reason = f"{ask.learned.all_labels:.0f} outcomes are too few to go by"
    decided = replace(
        plain,
        strategy=strategy,
        reasons=(*plain.reasons, reason),
        policy_version=f"{version}/learned-{ask.learned.version}",
    )
    return _explored(ask, decided)


def _explored(ask: Ask, decided: Decision) -> Decision:
    """All candidates are permitted, so whichever is drawn is."""
    found = explore(decided.candidates, ask.chance)
    if not found.drawn:
        return replace(decided, chances=found.chances)
    low: Confidence = "low"
    reasons = (f"{found.candidates[0].id} is tried by chance, to learn how well it does", *decided.reasons)
    return replace(decided, candidates=found.candidates, chances=found.chances, reasons=reasons, confidence=low)
