from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest
from routing.learning import about_code, decided, learned_of, prompts, quality, shelf

from aico.core.errors import BudgetExceeded
from aico.core.strategies import StrategyName
from aico.routing.models import Model
from aico.routing.strategies.complexity import ComplexityStrategy
from aico.routing.strategies.exploring import EXPLORED
from aico.routing.strategies.hybrid import HybridStrategy
from aico.routing.strategies.learning import LearningStrategy
from aico.routing.strategies.protocol import Ask, PricedModel, RoutingPolicy
from aico.routing.strategies.strategies import STRATEGIES

LEARNED = learned_of(400)
both = pytest.mark.parametrize("strategy", [LearningStrategy(), HybridStrategy()], ids=["learning", "hybrid"])
CHANCES = [number / 2000 for number in range(2000)]


@pytest.fixture
def models(make_model: Callable[..., Model]) -> tuple[PricedModel, ...]:
    return shelf(make_model)


def asks(models: Sequence[PricedModel], count: int = 20) -> list[Ask]:
    return [Ask(features, models, learned=LEARNED, chance=0.9) for features in prompts(count, seed=5)]


def test_prompts_go_to_the_cheapest_model_that_did_well_on_their_like(models: tuple[PricedModel, ...]) -> None:
    """Not all of those about code: the target leaves room for a few that the cheapest model may fail at."""
    found = [(about_code(ask.features), LearningStrategy().decide(ask).candidates[0].id) for ask in asks(models)]
    assert {first for code, first in found if not code} == {"cheap"}
    assert {first for code, first in found if code} <= {"cheap", "coder"}
    assert found.count((True, "coder")) > found.count((True, "cheap"))


def test_a_decision_says_what_it_rests_on(models: tuple[PricedModel, ...]) -> None:
    for ask in asks(models, 4):
        decision = LearningStrategy().decide(ask)
        assert decision.policy_version == "learning-1/learned-7"
        assert decision.expected["dear"] > 0.7
        assert "outcomes expect quality" in decision.reasons[0]
        assert {model.id for model in decision.candidates} == {"cheap", "coder", "dear"}


def test_a_target_above_all_asks_for_the_best(models: tuple[PricedModel, ...]) -> None:
    for ask in asks(models, 4):
        best = decided(LearningStrategy(), ask, quality_target=1.0)
        cheap = decided(LearningStrategy(), ask, quality_target=0.05)
        assert best.expected[best.candidates[0].id] == pytest.approx(max(best.expected.values()), abs=0.1)
        assert cheap.candidates[0].id == "cheap"


@both
def test_equal_asks_are_decided_alike(
    strategy: LearningStrategy | HybridStrategy, models: tuple[PricedModel, ...]
) -> None:
    for ask in asks(models, 6):
        assert strategy.decide(ask) == strategy.decide(replace(ask))


@both
def test_with_nothing_learned_complexity_decides(
    strategy: LearningStrategy | HybridStrategy, models: tuple[PricedModel, ...]
) -> None:
    for ask in asks(models):
        blank = replace(ask, learned=None)
        plain, found = ComplexityStrategy().decide(blank), strategy.decide(blank)
        assert replace(found, strategy="complexity", policy_version="complexity-1") == plain
        assert found.policy_version.endswith("-1/complexity-1")
        assert found.chances == {}


@both
def test_with_few_outcomes_complexity_decides_and_others_are_tried(
    strategy: LearningStrategy | HybridStrategy, models: tuple[PricedModel, ...]
) -> None:
    ask = replace(asks(models, 1)[0], learned=learned_of(10))
    assert strategy.decide(ask).candidates == ComplexityStrategy().decide(ask).candidates
    assert strategy.decide(ask).reasons[-1] == "30 outcomes are too few to go by"
    tried = {strategy.decide(replace(ask, chance=chance)).candidates[0].id for chance in (0.001, 0.015, 0.029)}
    assert tried == {"cheap", "coder", "dear"}


@both
def test_chances_are_the_shares_with_which_each_model_comes_first(
    strategy: LearningStrategy | HybridStrategy, models: tuple[PricedModel, ...]
) -> None:
    ask = asks(models, 1)[0]
    found = [strategy.decide(replace(ask, chance=chance)) for chance in CHANCES]
    assert sum(found[0].chances.values()) == pytest.approx(1)
    for model, probability in found[0].chances.items():
        share = sum(decision.candidates[0].id == model for decision in found) / len(found)
        assert share == pytest.approx(probability, abs=0.002)
    tried = [decision for decision in found if "tried by chance" in decision.reasons[0]]
    assert len(tried) / len(found) == pytest.approx(EXPLORED, abs=0.002)
    assert {decision.propensity for decision in found} == set(found[0].chances.values())


@both
def test_of_a_model_that_is_the_only_one_permitted_nothing_is_said_to_be_tried(
    strategy: LearningStrategy | HybridStrategy, models: tuple[PricedModel, ...]
) -> None:
    ask = replace(asks(models, 1)[0], policy=RoutingPolicy(quality_floor=0.9))
    usual, drawn = (strategy.decide(replace(ask, chance=chance)) for chance in (0.9, 0.001))
    assert drawn == usual
    assert (drawn.propensity, dict(drawn.chances)) == (1, {"dear": 1})


@both
@pytest.mark.parametrize(
    ("policy", "may"),
    [
        (RoutingPolicy(quality_floor=0.4), {"coder", "dear"}),
        (RoutingPolicy(max_cents=Decimal(5)), {"cheap", "coder"}),
        (RoutingPolicy(quality_floor=0.4, max_cents=Decimal(5)), {"coder"}),
    ],
    ids=["floor", "cents", "both"],
)
def test_nothing_that_is_not_permitted_is_tried(
    strategy: LearningStrategy | HybridStrategy, policy: RoutingPolicy, may: set[str], models: tuple[PricedModel, ...]
) -> None:
    for ask in asks(models, 2):
        for chance in CHANCES[:120]:
            decision = strategy.decide(replace(ask, policy=policy, chance=chance))
            assert {model.id for model in decision.candidates} == may == set(decision.chances)
        with pytest.raises(BudgetExceeded):
            strategy.decide(replace(ask, policy=RoutingPolicy(max_cents=Decimal("0.01"))))


@both
def test_nothing_that_cannot_serve_the_request_is_tried(
    strategy: LearningStrategy | HybridStrategy, make_model: Callable[..., Model]
) -> None:
    small = PricedModel(make_model("small", context_window=10), Decimal(0))
    for ask in asks((small, *shelf(make_model)), 1):
        firsts = {strategy.decide(replace(ask, chance=chance)).candidates[0].id for chance in CHANCES[:100]}
        assert firsts == {"cheap", "coder", "dear"}


@both
def test_named_models_and_leanings_are_decided_as_by_complexity(
    strategy: LearningStrategy | HybridStrategy, models: tuple[PricedModel, ...]
) -> None:
    for model in ("dear", "auto:cheap", "auto:quality"):
        for chance in (0.0, 0.9):
            ask = replace(asks(models, 1)[0], policy=RoutingPolicy(model), chance=chance)
            assert strategy.decide(ask).candidates == ComplexityStrategy().decide(ask).candidates
            assert strategy.decide(ask).propensity == 1


@both
def test_a_model_without_outcomes_is_expected_to_do_what_its_rank_suggests(
    strategy: LearningStrategy | HybridStrategy, make_model: Callable[..., Model]
) -> None:
    new = PricedModel(make_model("new", quality=0.8), Decimal(1))
    unpriced = PricedModel(make_model("unpriced", quality=0.8), None)
    for ask in asks((new, unpriced, *shelf(make_model)), 2):
        decision = strategy.decide(ask)
        assert 0 < decision.expected["new"] <= 1
        places = [model.id for model in decision.candidates]
        assert places.index("unpriced") > places.index("new"), "it counts as the dearest"


@pytest.mark.parametrize("make", [LearningStrategy, HybridStrategy], ids=["learning", "hybrid"])
def test_strategies_learn_outside_the_service(make: type[LearningStrategy | HybridStrategy]) -> None:
    strategy = make(("cheap", "dear"))
    for features in prompts(300):
        for model in ("cheap", "dear"):
            strategy.update(features, model, quality(model, features))
    for features in prompts(40, seed=6):
        assert (strategy.score(features) > 0) is about_code(features)
        assert set(strategy.expected(features)) == {"cheap", "dear"}


def test_before_any_outcome_scores_rank_prompts_as_complexity_does() -> None:
    asked = prompts(30)
    complexity = ComplexityStrategy()
    by_complexity = sorted(range(30), key=lambda at: (complexity.score(asked[at]), at))
    for strategy in (LearningStrategy(("weak", "strong")), HybridStrategy(("weak", "strong"))):
        scores = [strategy.score(features) for features in asked]
        ranked = [scores[at] for at in by_complexity]
        assert all(right >= left - 1e-6 for left, right in pairwise(ranked))


def test_what_all_prompts_gain_does_not_move_their_scores() -> None:
    """Else those scored before the first outcomes could not be compared with those scored after them."""
    asked, strategy = prompts(200), LearningStrategy(("cheap", "dear"))
    before = [strategy.score(features) for features in asked]
    for features in asked:
        for model in ("cheap", "dear"):
            strategy.update(features, model, 0.8)
    strategy.solve()
    after = [strategy.score(features) for features in asked]
    expected = strategy.expected(asked[0])
    assert expected["dear"] - expected["cheap"] == pytest.approx(0, abs=0.15), "no more than half of it is left"
    assert sum(after) / len(after) == pytest.approx(0, abs=0.01)
    assert sum(before) / len(before) == pytest.approx(0, abs=0.1)


def test_a_score_needs_models_to_compare() -> None:
    with pytest.raises(ValueError, match="cheapest to the dearest"):
        LearningStrategy().score(prompts(1)[0])


def test_every_strategy_that_is_offered_decides(models: tuple[PricedModel, ...]) -> None:
    assert {StrategyName.COMPLEXITY, StrategyName.LEARNING, StrategyName.HYBRID} <= set(STRATEGIES)
    for ask in asks(models, 2):
        assert all(strategy.decide(ask).candidates for strategy in STRATEGIES.values())
