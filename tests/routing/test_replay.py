"""The replay of decisions, in invented worlds where what another policy is worth is known."""

import random
from collections.abc import Iterator

import pytest

from aico.routing.replay import LARGEST_WEIGHT, Logged, replay
from aico.routing.strategies.exploring import EXPLORED

CHEAP, STRONG = "cheap", "strong"
COSTS = {CHEAP: 1.0, STRONG: 20.0}
OTHER = {CHEAP: 0.0, STRONG: 1.0}


def quality(hardness: float, model: str) -> float:
    """Probability that an answer is good."""
    return 0.95 if model == STRONG else 0.95 - 0.8 * hardness


def world(draw: random.Random, decisions: int, *, explored: float, blind: bool = False) -> Iterator[Logged]:
    """A policy that sends what looks hard to the strong model, and a share of all to either by chance."""
    for _ in range(decisions):
        hardness = draw.random()
        usual = STRONG if hardness > 0.7 else CHEAP
        chances = {model: explored / 2 + (1 - explored) * (model == usual) for model in COSTS}
        chosen = draw.choices(list(chances), weights=list(chances.values()))[0]
        expected = dict.fromkeys(COSTS, 0.5) if blind else {model: quality(hardness, model) for model in COSTS}
        yield Logged(
            chosen=chosen,
            chances=chances,
            expected=expected,
            cents=COSTS,
            seen=float(draw.random() < quality(hardness, chosen)),
            spent=COSTS[chosen] * draw.uniform(0.5, 1.5),
        )


@pytest.mark.parametrize("blind", [False, True])
@pytest.mark.parametrize("would", [OTHER, {CHEAP: 1.0, STRONG: 0.0}, {CHEAP: 0.5, STRONG: 0.5}])
def test_intervals_hold_the_truth_about_as_often_as_they_say_even_if_the_model_knows_nothing(
    would: dict[str, float], *, blind: bool
) -> None:
    truth = sum(share * quality(0.5, model) for model, share in would.items())  # linear in a uniform hardness
    cost = sum(share * COSTS[model] for model, share in would.items())
    held = dearer = 0
    trials = 60
    for seed in range(trials):
        found = replay((one, would) for one in world(random.Random(seed), 600, explored=0.2, blind=blind))
        assert found.quality is not None
        assert found.cost is not None
        held += found.quality.interval.low <= truth <= found.quality.interval.high
        dearer += found.cost.interval.low <= cost <= found.cost.interval.high
    assert held / trials >= 0.85
    assert dearer / trials >= 0.85


def test_a_good_model_narrows_the_interval() -> None:
    widths = []
    for blind in (False, True):
        found = replay((one, OTHER) for one in world(random.Random(1), 1500, explored=0.2, blind=blind))
        assert found.quality is not None
        widths.append(found.quality.interval.high - found.quality.interval.low)
    assert widths[0] < widths[1]


def test_the_policy_that_decided_is_worth_what_was_seen() -> None:
    logged = list(world(random.Random(5), 1500, explored=0.1))
    found = replay((one, one.chances) for one in logged)
    assert found.quality_difference is not None
    assert abs(found.quality_difference.value) < 0.02
    assert found.effective == pytest.approx(1500)
    assert found.unsupported == 0


def test_choices_that_chance_never_made_are_said_to_rest_on_the_model_alone() -> None:
    found = replay((one, OTHER) for one in world(random.Random(5), 500, explored=0.0))
    assert found.unsupported == pytest.approx(0.7, abs=0.06)
    assert found.effective < 500 * 0.4


def test_what_was_chosen_with_nothing_left_to_chance_was_seen() -> None:
    found = replay([(Logged(CHEAP, {}, {}, COSTS, 1.0, 1.0), {CHEAP: 1.0})] * 2)
    assert (found.unsupported, found.effective) == (0.0, 2.0)


def test_a_rare_choice_counts_for_only_so_many() -> None:
    rare = Logged(STRONG, {STRONG: 0.0001, CHEAP: 0.9999}, OTHER, COSTS, 1.0, 20.0)
    found = replay([(rare, OTHER), (rare, OTHER)])
    assert found.clipped == 2
    assert found.effective == pytest.approx(2)
    assert LARGEST_WEIGHT < 10_000


def test_what_is_tried_as_seldom_as_in_the_service_still_bears_out_the_truth() -> None:
    """EXPLORED among so many models: a policy that nobody expects anything of has to be judged by that alone."""
    held, trials = 0, 60
    for seed in range(trials):
        draw = random.Random(seed)
        chances = {STRONG: EXPLORED / 6, CHEAP: 1 - EXPLORED / 6}
        logged = []
        for _ in range(4000):
            chosen = STRONG if draw.random() < chances[STRONG] else CHEAP
            seen = float(draw.random() < (0.9 if chosen == STRONG else 0.6))
            logged.append(Logged(chosen, chances, {}, COSTS, seen, COSTS[chosen]))
        found = replay((one, OTHER) for one in logged)
        assert found.quality is not None
        assert found.clipped == 0
        held += found.quality.interval.low <= 0.9 <= found.quality.interval.high
    assert held / trials >= 0.8


def test_of_what_nobody_expected_anything_and_chance_never_tried_no_quality_is_claimed() -> None:
    sure = [Logged(CHEAP, {}, {}, COSTS, 1.0, 1.0)] * 3
    found = replay((one, OTHER) for one in sure)
    assert (found.quality, found.quality_difference, found.unknown, found.judged) == (None, None, 3, 0)
    assert found.cost is not None
    assert found.cost.value == 20.0


def test_where_nothing_was_expected_what_chance_tried_speaks() -> None:
    half = {CHEAP: 0.5, STRONG: 0.5}
    tried = [Logged(CHEAP, half, {}, COSTS, 0.0, 1.0), Logged(STRONG, half, {}, COSTS, 1.0, 20.0)] * 500
    found = replay((one, OTHER) for one in tried)
    assert found.quality is not None
    assert found.quality.value == pytest.approx(1.0)
    assert found.quality_difference is not None
    assert found.quality_difference.value == pytest.approx(0.5)


def test_what_nobody_judged_tells_of_costs_alone_and_nothing_tells_nothing() -> None:
    unjudged = [Logged(CHEAP, {CHEAP: 1.0}, {}, COSTS, None, 1.0)] * 3
    found = replay((one, {CHEAP: 1.0}) for one in unjudged)
    assert (found.decisions, found.judged, found.quality) == (3, 0, None)
    assert found.cost is not None
    assert found.cost.value == 1.0
    assert replay([]).cost is None
