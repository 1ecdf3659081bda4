"""A stream of labelled prompts through the cache's own decisions, with a judge that is always right.

What the service does over hours with workers and a database is done here in one loop: look for neighbours, decide,
audit a share, calibrate. Two prompts of one label have the same answer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from aico.caching.calibration import NOTHING_KNOWN, Calibration, Sample, State, calibrated
from aico.caching.neighbourhood import NEIGHBOURS, Neighbour, ranked, surroundings
from aico.caching.sampling import audit_chance
from aico.caching.scoring import START_WEIGHTS, features, score
from aico.core.embedding import LEAST_SIMILARITY

Floats = NDArray[np.float32]
PairScore = Callable[[int, int, float], float]  # of two prompts by their numbers, and their cosine


@dataclass(frozen=True)
class Prompts:
    vectors: Floats  # (prompts, 384), of length 1
    labels: NDArray[np.int64]
    pair: PairScore


@dataclass
class Outcome:
    """By prompt, in the order of the stream."""

    hits: list[bool] = field(default_factory=list)
    wrong: list[bool] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    audits: int = 0  # fresh answers that only the judge saw
    judged: int = 0


class Plain:
    """The nearest answer at or above a cosine."""

    def __init__(self, prompts: Prompts, threshold: float) -> None:
        self._prompts, self._threshold = prompts, threshold

    def run(self, order: Sequence[int]) -> Outcome:
        outcome = Outcome()
        kept = _Kept(self._prompts, len(order))
        for prompt in order:
            similarities = kept.similarities(prompt)
            best = int(similarities.argmax()) if len(similarities) else -1
            hit = best >= 0 and bool(similarities[best] >= self._threshold)
            outcome.hits.append(hit)
            outcome.wrong.append(hit and kept.label(best) != self._prompts.labels[prompt])
            if not hit:
                kept.put(prompt, None)
        return outcome


class _Kept:
    def __init__(self, prompts: Prompts, most: int) -> None:
        self._prompts = prompts
        self._vectors = np.empty((most, prompts.vectors.shape[1]), np.float32)
        self.prompts: list[int] = []
        self.groups: list[int] = []
        self.compared: list[bool] = []
        self._fresh = 0

    def similarities(self, prompt: int) -> Floats:
        found: Floats = self._vectors[: len(self.prompts)] @ self._prompts.vectors[prompt]
        return found

    def label(self, place: int) -> int:
        return int(self._prompts.labels[self.prompts[place]])

    def put(self, prompt: int, group: int | None, *, compared: bool = True) -> None:
        self._vectors[len(self.prompts)] = self._prompts.vectors[prompt]
        self.prompts.append(prompt)
        self._fresh += 1
        self.groups.append(self._fresh if group is None else group)
        self.compared.append(compared)


@dataclass(frozen=True)
class Policy:
    target: float
    confidence: float = 0.9
    hit_share: float = 0.05
    near_share: float = 1.0
    start: float = 4.0  # log-odds that are served before anything is known
    every: int = 25  # verdicts to a calibration
    kept_samples: int = 4000


class Calibrated:
    def __init__(self, prompts: Prompts, policy: Policy, seed: int) -> None:
        self._prompts, self._policy = prompts, policy
        self._rng = np.random.default_rng(seed)
        self._samples: list[Sample] = []
        self._known = NOTHING_KNOWN
        self._suspended = False
        self._audited = 0
        self._fresh_verdicts = 0

    @property
    def known(self) -> Calibration:
        return self._known

    def run(self, order: Sequence[int]) -> Outcome:
        outcome = Outcome()
        kept = _Kept(self._prompts, len(order))
        for prompt in order:
            self._one(prompt, kept, outcome)
        return outcome

    def _one(self, prompt: int, kept: _Kept, outcome: Outcome) -> None:
        outcome.states.append(self._known.state)
        found = self._look(prompt, kept)
        if found is None:
            kept.put(prompt, None)
            self._told(outcome, hit=False, wrong=False)
            return
        place, seen = found
        right = kept.label(place) == self._prompts.labels[prompt]
        value = score(seen, self._known.weights or START_WEIGHTS)
        eligible = value >= self._least()
        served = eligible and self._known.state.serves
        self._told(outcome, hit=served, wrong=served and not right)
        chance = audit_chance(self._audited, self._policy.hit_share) if served else self._policy.near_share
        drawn = bool(self._rng.random() < chance)
        if drawn:
            outcome.judged += 1
            outcome.audits += served
            self._audited += served
            self._judge(Sample(seen, value, right, eligible, chance))
        if drawn or not served:
            group = kept.groups[place] if drawn and right else None
            kept.put(prompt, group, compared=drawn)

    def _look(self, prompt: int, kept: _Kept) -> tuple[int, tuple[float, ...]] | None:
        similarities = kept.similarities(prompt)
        near = np.argsort(-similarities)[:NEIGHBOURS]
        near = near[similarities[near] >= LEAST_SIMILARITY]
        if not len(near):
            return None
        neighbours = [Neighbour(float(similarities[n]), kept.groups[n], kept.compared[n]) for n in near]
        chosen = ranked(neighbours)[0]
        place, similarity = int(near[chosen]), neighbours[chosen].similarity
        pair = self._prompts.pair(prompt, kept.prompts[place], similarity)
        return place, features(pair, similarity, surroundings(neighbours, chosen))

    def _least(self) -> float:
        return self._policy.start if self._known.cut is None else self._known.cut.least

    def _told(self, outcome: Outcome, *, hit: bool, wrong: bool) -> None:
        outcome.hits.append(hit)
        outcome.wrong.append(wrong)

    def _judge(self, sample: Sample) -> None:
        self._samples.append(sample)
        self._fresh_verdicts += 1
        alarm = sample.eligible and (not sample.right or self._known.state is State.PROBATION)
        if self._fresh_verdicts < self._policy.every and not alarm:
            return
        self._fresh_verdicts = 0
        self._samples = self._samples[-self._policy.kept_samples :]
        self._known = calibrated(
            self._samples,
            target=self._policy.target,
            confidence=self._policy.confidence,
            suspended=self._suspended,
        )
        self._samples = self._samples[self._known.forget :]
        self._suspended = self._suspended or self._known.forget > 0
