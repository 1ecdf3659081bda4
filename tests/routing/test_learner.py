import numpy as np
import pytest
from routing.learning import CENTS, RANKS, about_code, learned_of, prompts, quality, recent, taught

from aico.core.embedding import DIMENSIONS as EMBEDDED
from aico.routing.features import features_of
from aico.routing.learner.design import DESIGN, DIMENSIONS, VECTOR, design
from aico.routing.learner.frontier import frontier
from aico.routing.learner.learned import Learned, UnreadableLearning
from aico.routing.learner.learner import Learner
from aico.routing.learner.solving import prior_weights, priors, solve, usual
from aico.routing.learner.statistics import Statistics
from aico.routing.surface import SURFACE_COUNT, surface

ASKED = prompts(60)


def same(one: Statistics, other: Statistics, tolerance: float = 1e-9) -> bool:
    return (
        np.allclose(one.moments, other.moments, atol=tolerance)
        and np.allclose(one.products, other.products, atol=tolerance)
        and one.labels == pytest.approx(other.labels)
        and one.squares == pytest.approx(other.squares)
    )


def test_a_design_has_one_length_and_says_where_the_vector_is_missing() -> None:
    bare, whole = design(features_of("Why?")), design(features_of("Why?", np.ones(EMBEDDED, dtype=np.float32)))
    assert bare.shape == whole.shape == (DIMENSIONS,)
    assert not bare[VECTOR].any()
    assert whole[VECTOR].all()
    assert (bare[: VECTOR.start] != whole[: VECTOR.start]).sum() == 1


@pytest.mark.parametrize("text", ["", "a", "\ud800", "Zahl ﷽ 12", "A. x\nB. y\nC. z " * 50], ids=str.__repr__)
def test_any_text_has_a_surface(text: str) -> None:
    numbers = surface(text)
    assert len(numbers) == SURFACE_COUNT
    assert np.isfinite(numbers).all()


def test_statistics_are_read_back_as_they_were_written() -> None:
    sums = taught(ASKED)["cheap"]
    back = Statistics.decoded(sums.encoded())
    assert same(back, sums, tolerance=1e-3)
    assert back.encoded() == sums.encoded()
    assert len(sums.encoded()) < 400_000


def test_what_hardly_varies_does_not_drown_in_rounding_what_does() -> None:
    """Of texts beyond what is looked at, the length is a large number that is always the same."""
    filler = "This is said again and again, and there is no end to it. " * 400
    asked = [features_of(f"{filler}{number} Why is it so? {'So it is. ' * (number % 7)}") for number in range(64)]
    rows = [design(features) for features in asked]
    held, stored = Statistics.empty(), Statistics.empty()
    for _ in range(100):
        for number, row in enumerate(rows):
            for sums in (held, stored):
                sums.add(row, float(number % 3 == 0), weight=8.0)
        for sums in (held, stored):
            sums.forget(0.98)
        stored = Statistics.decoded(stored.encoded())
    other = design(features_of("Why?"))
    found = [solve({"cheap": sums}, (), RANKS, 1) for sums in (held, stored)]
    assert found[1].spread["cheap"] == pytest.approx(found[0].spread["cheap"], rel=0.01)
    assert float(other @ found[1].weights["cheap"]) == pytest.approx(float(other @ found[0].weights["cheap"]), abs=0.01)


@pytest.mark.parametrize("reward", [-0.1, 1.1, float("nan")])
def test_a_reward_that_is_none_is_refused(reward: float) -> None:
    sums = Statistics.empty()
    with pytest.raises(ValueError, match="between 0 and 1"):
        sums.add(design(ASKED[0]), reward)
    assert sums.labels == 0
    assert not sums.products.any()


@pytest.mark.parametrize("data", [b"", b"x" * 100, Statistics.empty().encoded()[:-4]], ids=["none", "other", "cut"])
def test_damaged_statistics_are_refused(data: bytes) -> None:
    with pytest.raises(UnreadableLearning, match="are not statistics"):
        Statistics.decoded(data)


def test_a_corrected_outcome_counts_as_if_it_had_been_the_first() -> None:
    corrected, right = Statistics.empty(), Statistics.empty()
    for features in ASKED:
        corrected.add(design(features), 0.2, weight=0.5)
        right.add(design(features), 0.9, weight=0.5)
        corrected.correct(design(features), 0.2, 0.9, weight=0.5)
    assert same(corrected, right)


def test_what_is_forgotten_counts_less_beside_what_is_new() -> None:
    faded, light = Statistics.empty(), Statistics.empty()
    for features in ASKED:
        faded.add(design(features), 0.0)
        light.add(design(features), 0.0, weight=0.25)
    faded.forget(0.25)
    assert same(faded, light)
    assert faded.labels == pytest.approx(15)
    for features in ASKED:
        faded.add(design(features), 1.0)
    row = design(ASKED[0])
    assert row @ solve({"cheap": faded}, (), RANKS, 1).weights["cheap"] > 0.7


def test_weights_expect_of_each_model_what_it_did() -> None:
    learned = learned_of()
    for features in prompts(50, seed=1):
        row = design(features)
        for model in CENTS:
            assert float(row @ learned.weights[model]) == pytest.approx(quality(model, features), abs=0.25)
    assert learned.labels == {"cheap": 200, "coder": 200, "dear": 200}


def test_without_outcomes_a_model_is_expected_to_do_what_its_rank_suggests() -> None:
    learned = solve({}, (), RANKS, version=1)
    for features in ASKED:
        expected = {model: design(features) @ learned.weights[model] for model in RANKS}
        assert expected["cheap"] < expected["coder"] < expected["dear"] <= 1
        assert expected["cheap"] == pytest.approx(float(design(features) @ prior_weights(RANKS["cheap"])), abs=1e-5)


def test_what_complexity_suggests_is_in_the_scale_of_the_traffic() -> None:
    """Prompts that look rather alike are ranked about as steeply as prompts that differ."""
    alike = [features_of("Is it so? " * length) for length in (6, 10, 14, 20)] * 100
    differing = [features_of("Is it so? " * length) for length in (1, 10, 40, 160)] * 100
    steep = {}
    for name, asked in {"alike": alike, "differing": differing}.items():
        sums = taught(asked, ["cheap"])
        prior, rows = priors(sums, RANKS), np.stack([design(features) for features in asked])
        steep[name] = float((rows @ (prior["dear"] - prior["cheap"])).std())
        for model, rank in RANKS.items():
            assert usual(sums) @ prior[model] == pytest.approx(usual(sums) @ prior_weights(rank))
    assert steep["alike"] > 0.5 * steep["differing"]
    assert priors({}, RANKS)["cheap"] == pytest.approx(prior_weights(RANKS["cheap"]))


def test_numbers_that_tell_nothing_of_a_model_move_little_and_those_that_do_move_it() -> None:
    """A difference between models is believed from many prompts, not from one number's chance in a few."""
    random, asked = np.random.default_rng(0), prompts(300)
    chance = {model: Statistics.empty() for model in RANKS}
    for features in asked:
        for sums in chance.values():
            sums.add(design(features), float(random.integers(2)))
    plain = [features for features in prompts(60, seed=4) if not about_code(features)]
    code = [features for features in prompts(60, seed=4) if about_code(features)]

    def apart(statistics: dict[str, Statistics]) -> float:
        weights = solve(statistics, (), RANKS, 1).weights
        rows = [np.mean([design(features) for features in group], axis=0) for group in (code, plain)]
        return abs(float((rows[0] - rows[1]) @ (weights["coder"] - weights["cheap"])))

    assert apart(taught(asked)) > 0.7
    assert apart(chance) < 0.15


def test_the_more_outcomes_the_less_an_expectation_is_off() -> None:
    spread = [solve(taught(prompts(count)), (), RANKS, 1).spread["dear"] for count in (20, 100, 400)]
    assert spread == sorted(spread, reverse=True)


def test_outcomes_of_a_model_that_is_no_longer_there_do_not_count() -> None:
    learned = solve(taught(ASKED), (), {"dear": 0.9}, version=1)
    assert set(learned.weights) == set(learned.labels) == {"dear"}


def test_what_was_learned_is_read_back_and_is_small() -> None:
    learned = learned_of()
    data = learned.encoded()
    back = Learned.decoded(data)
    assert len(data) < 20_000
    assert (back.version, back.design, back.labels, back.spread) == (7, DESIGN, learned.labels, learned.spread)
    assert back.frontier == learned.frontier
    assert all(np.array_equal(back.weights[model], learned.weights[model]) for model in CENTS)
    assert np.array_equal(back.shared, learned.shared)
    with pytest.raises(UnreadableLearning):
        Learned.decoded(data[:50])


def test_a_lower_target_has_a_higher_price_of_quality() -> None:
    learned = learned_of()
    prices = [learned.price(target) for target in (0.3, 0.6, 0.9, 1.0)]
    assert None not in prices
    assert prices == sorted(prices, key=lambda price: -(price or 0))
    assert learned.price(2.0) == 0
    assert solve(taught(ASKED), (), RANKS, 1).price(0.9) is None


def test_a_target_is_reached_for_less_than_the_best_model_costs() -> None:
    learned, unseen = learned_of(400), prompts(200, seed=3)
    price = learned.price(0.95)
    assert price is not None
    models, spent, reached = list(CENTS), 0.0, 0.0
    for features in unseen:
        row = design(features)
        chosen = max(models, key=lambda model: float(row @ learned.weights[model]) - price * CENTS[model])
        spent, reached = spent + CENTS[chosen], reached + quality(chosen, features)
    assert reached / len(unseen) >= 0.95 * 0.92
    assert spent / len(unseen) < 0.2 * CENTS["dear"]


def test_a_frontier_leaves_out_models_that_could_not_answer() -> None:
    weights = learned_of().weights
    asked = prompts(10)
    assert frontier(weights, recent(asked, {"unheard-of": 1.0})) == ()
    only_cheap = frontier(weights, recent(asked, {"cheap": 1.0}))
    assert all(share == pytest.approx(1.0) for share, _ in only_cheap)


def test_a_learner_finds_out_who_is_good_at_what_from_chosen_models_alone() -> None:
    learner = Learner(("cheap", "coder"), memory=20_000)
    for number, features in enumerate(prompts(300)):
        model = ("cheap", "coder")[number // 2 % 2]
        learner.update(features, model, quality(model, features))
    for features in prompts(40, seed=9):
        expected = {model: float(design(features) @ row) for model, row in learner.learned.weights.items()}
        assert (expected["coder"] > expected["cheap"]) is about_code(features)
    with pytest.raises(KeyError):
        learner.update(ASKED[0], "unheard-of", 1.0)


def test_a_learner_solves_again_only_when_enough_is_new() -> None:
    learner, versions = Learner(("cheap", "dear"), memory=20_000), set()
    for features in prompts(400):
        learner.update(features, "dear", 1.0)
        versions.add(learner.learned.version)
    assert 10 <= len(versions) < 40
