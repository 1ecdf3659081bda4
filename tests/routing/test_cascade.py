"""Who drafts, what a draft may lose, and what the cascade learns."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from routing.dispatching import CATALOGUE

from aico.core.chat import ChatRequest, Choice, FinishReason, Message, Role
from aico.core.strategies import StrategyName
from aico.routing.features import extract_features
from aico.routing.learner.design import DESIGN, DIMENSIONS, INTERCEPT
from aico.routing.learner.learned import Learned
from aico.routing.models import Model
from aico.routing.strategies.cascade import CascadeStrategy
from aico.routing.strategies.protocol import Ask, Decision, PricedModel, RoutingPolicy
from aico.routing.strategies.strategies import Strategies
from aico.routing.verifier.drafts import drafted
from aico.routing.verifier.learning import no_outcomes, solve_verifier

MODEL = CATALOGUE.all_models[0]
SUM = "Ann has 20 sheep and Ben has 4 times as many. How many sheep do they have together?"
RIGHT, WRONG = "20 * 4 = 80 and 20 + 80 = 100 sheep", "20 * 4 = 90 and 20 + 90 = 110 sheep"


def priced(name: str, quality: float, cents: str | None) -> PricedModel:
    model = Model.model_validate({**MODEL.model_dump(), "id": name, "quality": quality})
    return PricedModel(model, None if cents is None else Decimal(cents))


CHEAP, MIDDLE, DEAR = priced("cheap", 0.6, "0.01"), priced("middle", 0.7, "0.5"), priced("dear", 0.95, "1")
ALL = (CHEAP, MIDDLE, DEAR)


def ask(
    text: str = SUM,
    models: Sequence[PricedModel] = ALL,
    policy: RoutingPolicy | None = None,
    learned: Learned | None = None,
    n: int = 1,
) -> Ask:
    request = ChatRequest(messages=(Message(role=Role.USER, content=text),), n=n)
    return Ask(extract_features(request), models, policy or RoutingPolicy(), learned)


def decide(*args: object, **rest: object) -> Decision:
    return CascadeStrategy().decide(ask(*args, **rest))  # type: ignore[arg-type]


def names(decision: Decision) -> list[str]:
    return [model.id for model in decision.candidates]


def taught(quality: dict[str, float], price: float) -> Learned:
    weights = {}
    for model, expected in quality.items():
        weights[model] = np.zeros(DIMENSIONS, dtype=np.float32)
        weights[model][INTERCEPT] = expected
    return Learned(1, DESIGN, np.zeros(DIMENSIONS, np.float32), weights, {"cheap": 100.0}, frontier=((2.0, price),))


def test_the_cheap_model_drafts_for_the_one_that_answers_demanding_requests() -> None:
    decision = decide()
    assert names(decision) == ["cheap", "dear", "middle"]
    assert decision.strategy == "cascade"
    assert decision.check is not None
    assert decision.check.usual_loss < decision.check.most_loss <= 0.5
    assert decision.propensity == 1
    assert "cheap" in decision.reasons[0]


def test_a_right_draft_passes_and_a_wrong_one_does_not() -> None:
    check = decide().check
    assert check is not None
    drafts = [drafted(SUM, text) for text in (RIGHT, WRONG, "")]
    verdicts = [check.passes(check.verified(one.request, one.answer, one.features, "cheap")) for one in drafts]
    assert verdicts == [True, False, False]


@pytest.mark.parametrize(
    ("models", "policy", "why"),
    [
        ((DEAR,), RoutingPolicy(), "one model"),
        ((priced("cheap", 0.6, "0.9"), DEAR), RoutingPolicy(), "not much cheaper"),
        ((priced("cheap", 0.1, "0.01"), DEAR), RoutingPolicy(), "would hardly ever pass"),
        ((CHEAP, priced("dear", 0.95, None)), RoutingPolicy(), "no price"),
        ((priced("cheap", 0.6, None), DEAR), RoutingPolicy(), "no price of the draft"),
        (ALL, RoutingPolicy(max_cents=Decimal("1.005")), "no budget for both"),
        (ALL, RoutingPolicy(quality_floor=0.9), "only one is good enough"),
    ],
)
def test_where_a_draft_does_not_pay_it_goes_directly(
    models: Sequence[PricedModel], policy: RoutingPolicy, why: str
) -> None:
    decision = decide(models=models, policy=policy)
    assert decision.check is None, why
    assert (decision.strategy, decision.reasons[0]) == ("cascade", "no draft would save enough")


@pytest.mark.parametrize("model", ["auto:cheap", "auto:quality", "dear"])
def test_who_names_a_model_or_leans_to_one_side_gets_no_draft(model: str) -> None:
    assert decide(policy=RoutingPolicy(model=model)).check is None


def test_several_answers_are_not_drafted() -> None:
    several = priced("several", 0.9, "1")
    able = replace(several, model=several.model.model_copy(update={"capabilities": frozenset({"choices"})}))
    assert decide(models=(CHEAP, able), n=2).check is None


def test_what_outcomes_taught_decides_who_drafts_and_what_it_may_lose() -> None:
    good = {"cheap": 0.2, "middle": 0.9, "dear": 0.95}
    eager = decide(models=(CHEAP, priced("middle", 0.7, "0.1"), DEAR), learned=taught(good, price=0.3))
    assert names(eager)[0] == "middle"
    assert eager.expected == pytest.approx({"middle": 0.9, "dear": 0.95})
    assert eager.check is not None
    assert eager.check.most_loss == pytest.approx(0.3 / 0.95)
    sparing = decide(learned=taught({**good, "cheap": 0.8}, price=0.6))
    assert sparing.check is not None
    assert sparing.check.most_loss == pytest.approx(0.6 / 0.95)


def test_a_model_whose_drafts_are_found_as_good_as_the_better_answers_drafts_on() -> None:
    tied = decide(learned=taught({"cheap": 0.4, "middle": 0.1, "dear": 0.5}, price=0.3))
    assert tied.check is not None
    assert names(tied)[0] == "cheap"
    assert tied.check.usual_loss == pytest.approx(0.05)
    assert decide(learned=taught({"cheap": 0.1, "middle": 0.1, "dear": 0.9}, price=0.3)).check is None


def test_a_request_may_ask_for_it() -> None:
    asked = ask(policy=RoutingPolicy(strategy=StrategyName.CASCADE))
    assert Strategies().decide(asked).check is not None
    assert Strategies().decide(ask()).check is None


def test_without_outcomes_wrong_drafts_come_first() -> None:
    cascade = CascadeStrategy()
    assert cascade.score(drafted(SUM, WRONG)) > cascade.score(drafted(SUM, RIGHT))


def test_outcomes_teach_which_drafts_to_distrust() -> None:
    cascade = CascadeStrategy(("small", "large"))
    long, short = drafted(SUM, f"{RIGHT}. {'It is so. ' * 40}"), drafted(SUM, RIGHT)
    before = cascade.score(long) - cascade.score(short)
    for _ in range(40):
        for draft, reward in ((long, 0.0), (short, 1.0)):
            cascade.update(draft, "small", reward)
            cascade.update(draft, "large", 1.0)
    assert cascade.score(long) - cascade.score(short) > max(0.3, before)
    with pytest.raises(KeyError):
        cascade.update(short, "other", 1.0)


def test_the_verifier_fades_in_and_an_unknown_model_is_judged_by_signs() -> None:
    request = ChatRequest(messages=(Message(role=Role.USER, content=SUM),))
    answer, features = Choice(text=RIGHT, finish_reason=FinishReason.STOP), extract_features(request)
    check = decide().check
    assert check is not None
    plain = check.verified(request, answer, features, "cheap").loss
    sums, losses = no_outcomes(), [plain]
    for _ in range(3):
        for _ in range(20):
            sums.add(drafted(SUM, RIGHT).design(), 0.0)
        learned = replace(check, verifier=solve_verifier({"cheap": sums}, 1))
        losses.append(learned.verified(request, answer, features, "cheap").loss)
        assert learned.verified(request, answer, features, "another").loss == pytest.approx(plain, abs=1e-6)
    assert losses == sorted(losses)
    assert losses[-1] > 0.8
