from collections.abc import Callable
from dataclasses import replace

import pytest
from routing.learning import CENTS, learned_of, prompts, shelf

from aico.routing.models import Model
from aico.routing.strategies.complexity import ComplexityStrategy
from aico.routing.strategies.hybrid import HybridStrategy
from aico.routing.strategies.learning import LearningStrategy
from aico.routing.strategies.protocol import Ask, PricedModel
from aico.routing.strategies.strategies import DEFAULT, STRATEGIES


@pytest.fixture
def models(make_model: Callable[..., Model]) -> tuple[PricedModel, ...]:
    return shelf(make_model)


def differing(models: tuple[PricedModel, ...]) -> list[Ask]:
    """Asks of which complexity's choice is of quite another rank than learning's."""
    asks = [Ask(features, models, learned=learned_of(400), chance=0.9) for features in prompts(20, seed=5)]
    firsts = [
        (LearningStrategy().decide(ask).candidates[0], ComplexityStrategy().decide(ask).candidates[0]) for ask in asks
    ]
    return [ask for ask, (one, other) in zip(asks, firsts, strict=True) if abs(one.quality - other.quality) > 0.3]


def test_it_is_what_decides_where_nobody_says_otherwise() -> None:
    assert isinstance(STRATEGIES[DEFAULT], HybridStrategy)


def test_outcomes_that_are_sure_decide(models: tuple[PricedModel, ...]) -> None:
    for features in prompts(20, seed=5):
        ask = Ask(features, models, learned=learned_of(400), chance=0.9)
        found, plain = HybridStrategy().decide(ask), ComplexityStrategy().decide(ask)
        assert found.candidates == LearningStrategy().decide(ask).candidates
        same = found.candidates[0] is plain.candidates[0]
        expected = "complexity chooses the same" if same else f"complexity would choose {plain.candidates[0].id}"
        assert found.reasons[-1] == expected
        assert (found.strategy, found.policy_version) == ("hybrid", "hybrid-1/learned-7")


def test_outcomes_that_are_not_sure_leave_the_choice_to_complexity(make_model: Callable[..., Model]) -> None:
    models = tuple(one for one in shelf(make_model) if one.model.id != "coder")
    asks = differing(models)
    assert asks
    for ask in asks:
        unsure = replace(ask, learned=replace(learned_of(400), spread=dict.fromkeys(CENTS, 99.0)))
        found = HybridStrategy().decide(unsure)
        assert found.candidates[0] is ComplexityStrategy().decide(unsure).candidates[0]
        assert found.confidence == "low"
        assert found.reasons[-1].endswith("stands")
        assert found.chances[found.candidates[0].id] > 0.9
