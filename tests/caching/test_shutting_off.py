"""A namespace whose traffic changes for the worse is stopped in time: a stream of its own, whose labels are known.

Made up in every part: nothing here is read from a data set.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from aico.caching.calibration import NOTHING_KNOWN, Calibration, Sample, State
from aico.caching.deciding import Decider
from aico.caching.sampling import audit_chance
from aico.caching.scoring import Floats
from aico.core.settings import Settings
from aico.embedding_service.verification.comparison import Comparison, TextProfile, Verifier
from bench.cache import stream
from bench.cache.prompts import Stream
from bench.cache.stream import Calibrated, Outcome

TOPICS, WIDTH = 40, 48
BEFORE, AFTER = 1600, 500  # prompts
SEEDS = range(5)


class Sighted(Verifier):
    """Sees of two texts whether they look like one topic, not whether one answer serves both; errs now and then."""

    def compare_profiles(self, asked: TextProfile, kept: TextProfile, cosine: float) -> Comparison:  # noqa: ARG002
        (topic, one), (other, two) = asked.folded.split(), kept.folded.split()
        rng = np.random.default_rng([int(one[1:]), int(two[1:])])
        odds = rng.normal(2.5 if topic == other else -2, 1.5)
        return Comparison(float(1 / (1 + np.exp(-odds))), (), ())


@dataclass(frozen=True)
class Traffic:
    stream: Stream
    order: list[int]


def traffic(seed: int, *, wrong: float) -> Traffic:
    """Of topics in pairs of neighbours. Later this share of the prompts looks as before and needs another answer."""
    rng = np.random.default_rng(seed)
    pairs = rng.normal(size=(TOPICS // 2, WIDTH))
    centres = np.repeat(pairs, 2, axis=0) + 0.35 * rng.normal(size=(TOPICS, WIDTH))
    topics = rng.integers(0, TOPICS, BEFORE + AFTER)
    vectors = _unit(_unit(centres)[topics] + 0.45 / WIDTH**0.5 * rng.normal(size=(len(topics), WIDTH)))
    alone = (np.arange(len(topics)) >= BEFORE) & (rng.random(len(topics)) < wrong)
    labels = np.where(alone, TOPICS + np.arange(len(topics)), topics)
    texts = [f"t{topic} p{place}" for place, topic in enumerate(topics)]
    return Traffic(Stream("made up", texts, vectors.astype(np.float32), labels), list(range(len(topics))))


def _unit(rows: Floats) -> Floats:
    found: Floats = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return found


def served(seed: int, *, wrong: float, target: float) -> Outcome:
    made = traffic(seed, wrong=wrong)
    return Calibrated(Decider(Sighted()), target).run(made.stream, made.order, seed)


def errors_per_hit(outcome: Outcome) -> Floats:
    """Of all hits so far, after each prompt of the later time."""
    found: Floats = (np.cumsum(outcome.wrong) / np.maximum(np.cumsum(outcome.hits), 1))[BEFORE:]
    return found


@pytest.mark.parametrize("wrong", [0.3, 1.0])
def test_it_is_stopped_before_its_error_is_twice_what_is_allowed(wrong: float) -> None:
    target = 0.05
    for seed in SEEDS:
        outcome = served(seed, wrong=wrong, target=target)
        assert sum(outcome.hits[:BEFORE]) > BEFORE / 2  # it was trusted
        assert errors_per_hit(outcome).max() < 2 * target
        assert State.SUSPENDED in outcome.states[BEFORE:]
        assert sum(outcome.hits[-100:]) == 0


def test_at_the_usual_target_its_error_is_less_than_twice_that_over_many_such_changes() -> None:
    """Of one change nobody can say so: one in twenty hits is looked at, and the first of them may come late."""
    target = Settings.model_fields["cache_max_error_rate"].default
    outcomes = [served(seed, wrong=0.6, target=target) for seed in SEEDS]
    assert np.mean([errors_per_hit(outcome).max() for outcome in outcomes]) < 2 * target


def test_traffic_that_stays_as_it_is_is_not_stopped() -> None:
    for seed in SEEDS[:3]:
        outcome = served(seed, wrong=0.0, target=0.05)
        assert State.SUSPENDED not in outcome.states[BEFORE:]
        assert sum(outcome.hits[BEFORE:]) > 0.8 * AFTER
        assert errors_per_hit(outcome).max() < 0.05


def test_a_namespace_that_is_wrong_from_the_first_is_hardly_served() -> None:
    made = traffic(1, wrong=1.0)
    outcome = Calibrated(Decider(Sighted()), 0.05).run(made.stream, made.order[BEFORE:], 1)
    assert sum(outcome.hits) < 10
    assert outcome.states[-1] is State.SUSPENDED


def test_each_sample_carries_the_chance_with_which_it_was_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[Sample]] = []

    def calibrated(samples: Sequence[Sample], **_: object) -> Calibration:
        seen.append(list(samples))
        return NOTHING_KNOWN

    monkeypatch.setattr(stream, "calibrated", calibrated)
    served(0, wrong=0.0, target=0.05)
    hits = [sample.chance for sample in seen[-1] if sample.eligible]
    assert len(hits) > 30
    assert hits == [audit_chance(audited, 0.05, 0.05) for audited in range(len(hits))]
