"""A stream of labelled prompts through the cache's own decisions, with a judge that is always right.

What the service does over hours with workers and a database is done here in one loop: look for neighbours, decide,
audit a share, calibrate. The budget for judges is not limited.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from aico.caching.calibration import NOTHING_KNOWN, Calibration, Sample, State, calibrated
from aico.caching.deciding import Decider, Decision, Known
from aico.caching.neighbourhood import NEIGHBOURS
from aico.caching.sampling import audit_chance, near_chance
from aico.caching.watching import SURPRISING
from aico.core.cache_policy import GuardPolicy
from aico.core.embedding import LEAST_SIMILARITY
from bench.cache.prompts import Floats, Stream

ENOUGH_VERDICTS = 25  # to calibrate, as in the service
_SAMPLES = 4000  # likewise


@dataclass
class Outcome:
    """By prompt, in the order of the stream."""

    hits: list[bool] = field(default_factory=list)
    wrong: list[bool] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    audits: int = 0  # fresh answers that only the judge saw
    judged: int = 0

    def told(self, *, hit: bool, wrong: bool, state: State = State.SERVING) -> None:
        self.hits.append(hit)
        self.wrong.append(wrong)
        self.states.append(state)


class Policy(Protocol):
    def run(self, stream: Stream, order: Sequence[int], seed: int) -> Outcome: ...


@dataclass(frozen=True, slots=True)
class _Candidate:
    place: int
    question: str
    group: int
    compared: bool
    similarity: float


class _Kept:
    """Answered prompts, each with the group of its answer."""

    def __init__(self, stream: Stream, most: int) -> None:
        self._stream = stream
        self._vectors = np.empty((most, stream.vectors.shape[1]), np.float32)
        self._prompts: list[int] = []
        self._groups: list[int] = []
        self._compared: list[bool] = []

    def similarities(self, prompt: int) -> Floats:
        found: Floats = self._vectors[: len(self._prompts)] @ self._stream.vectors[prompt]
        return found

    def near(self, prompt: int) -> list[_Candidate]:
        similarities = self.similarities(prompt)
        places = np.argsort(-similarities)[:NEIGHBOURS].tolist()
        return [
            _Candidate(
                place,
                self._stream.texts[self._prompts[place]],
                self._groups[place],
                self._compared[place],
                float(similarities[place]),
            )
            for place in places
            if similarities[place] >= LEAST_SIMILARITY
        ]

    def right(self, place: int, prompt: int) -> bool:
        return bool(self._stream.labels[self._prompts[place]] == self._stream.labels[prompt])

    def put(self, prompt: int, group: int | None = None, *, compared: bool = True) -> None:
        place = len(self._prompts)
        self._vectors[place] = self._stream.vectors[prompt]
        self._prompts.append(prompt)
        self._groups.append(place if group is None else group)
        self._compared.append(compared)


@dataclass(frozen=True)
class PlainCosine:
    """The nearest answer at or above a cosine."""

    threshold: float = 0.95

    def run(self, stream: Stream, order: Sequence[int], seed: int) -> Outcome:  # noqa: ARG002 - nothing is drawn
        outcome, kept = Outcome(), _Kept(stream, len(order))
        for prompt in order:
            similarities = kept.similarities(prompt)
            best = int(similarities.argmax()) if len(similarities) else -1
            hit = best >= 0 and bool(similarities[best] >= self.threshold)
            outcome.told(hit=hit, wrong=hit and not kept.right(best, prompt))
            if not hit:
                kept.put(prompt)
        return outcome


@dataclass(frozen=True)
class VerifierAlone:
    """What a namespace serves of which nothing is known, and nobody judges."""

    decider: Decider
    guards: GuardPolicy = GuardPolicy.STRICT

    def run(self, stream: Stream, order: Sequence[int], seed: int) -> Outcome:  # noqa: ARG002 - nothing is drawn
        outcome, kept = Outcome(), _Kept(stream, len(order))
        for prompt in order:
            near = kept.near(prompt)
            decision = self.decider.decide(stream.texts[prompt], near, Known(), self.guards)
            hit = decision is not None and decision.served
            wrong = hit and decision is not None and not kept.right(near[decision.place].place, prompt)
            outcome.told(hit=hit, wrong=wrong)
            if not hit:
                kept.put(prompt)
        return outcome


@dataclass(frozen=True)
class Calibrated:
    decider: Decider
    target: float  # wrong answers per hit
    confidence: float = 0.9
    share: float = 0.05
    guards: GuardPolicy = GuardPolicy.STRICT

    def run(self, stream: Stream, order: Sequence[int], seed: int) -> Outcome:
        return _Run(self, stream, len(order), seed).all(order)


class _Run:
    def __init__(self, policy: Calibrated, stream: Stream, most: int, seed: int) -> None:
        self._policy, self._stream = policy, stream
        self._kept = _Kept(stream, most)
        self._rng = np.random.default_rng(seed)
        self._samples: list[Sample] = []
        self._calibration: Calibration = NOTHING_KNOWN
        self._suspended = False
        self._audited = self._judged = self._fresh = 0
        self._outcome = Outcome()

    def all(self, order: Sequence[int]) -> Outcome:
        for prompt in order:
            near = self._kept.near(prompt)
            known = self._known()
            decision = self._policy.decider.decide(self._stream.texts[prompt], near, known, self._policy.guards)
            if decision is None:
                self._outcome.told(hit=False, wrong=False, state=known.state)
                self._kept.put(prompt)
            else:
                self._settle(prompt, near[decision.place], decision)
        return self._outcome

    def _known(self) -> Known:
        now = self._calibration
        cut = None if now.cut is None else now.cut.least
        return Known(now.state, cut, now.weights, judged=self._judged > 0)

    def _settle(self, prompt: int, near: _Candidate, decision: Decision) -> None:
        right, served = self._kept.right(near.place, prompt), decision.served
        self._outcome.told(hit=served, wrong=served and not right, state=self._calibration.state)
        chance = self._chance(decision)
        drawn = bool(self._rng.random() < chance)
        if drawn:
            self._outcome.judged += 1
            self._outcome.audits += served
            self._audited += served
            self._judge(Sample(decision.features, decision.score, right, decision.eligible, chance))
        if drawn or not served:
            self._kept.put(prompt, near.group if drawn and right else None, compared=drawn)

    def _chance(self, decision: Decision) -> float:
        policy, serves = self._policy, self._calibration.state.serves
        of_hits = audit_chance(self._audited, policy.share, policy.target) if serves else 1.0
        if decision.eligible:
            return of_hits
        least = of_hits if self._audited or not serves else policy.share
        return near_chance(len(self._samples), self._judged, least)

    def _judge(self, sample: Sample) -> None:
        self._samples.append(sample)
        self._judged += 1
        self._fresh += 1
        hit = sample.eligible and (not sample.right or self._calibration.state is State.PROBATION)
        alarm = hit or (not sample.right and sample.score >= SURPRISING)
        if self._fresh < ENOUGH_VERDICTS and not alarm:
            return
        self._fresh = 0
        self._samples = self._samples[-_SAMPLES:]
        self._calibration = calibrated(
            self._samples,
            target=self._policy.target,
            confidence=self._policy.confidence,
            suspended=self._suspended,
        )
        self._samples = self._samples[self._calibration.forget :]
        self._suspended = self._suspended or self._calibration.forget > 0
