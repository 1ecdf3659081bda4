"""Streams of prompts under several policies: what is served of them, and what wrongly, before and after calibration."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from aico.caching.deciding import Decider
from aico.core.cache_policy import GuardPolicy
from bench.cache.intervals import Interval, shares
from bench.cache.prompts import Stream
from bench.cache.stream import Calibrated, Outcome, PlainCosine, Policy, VerifierAlone

TARGETS = (0.01, 0.02, 0.05)


@dataclass(frozen=True, slots=True)
class StreamRow:
    stream: str
    policy: str
    part: str
    prompts: int  # of all orders
    hits: Interval
    wrong: Interval  # of all prompts: err/N
    wrong_of_hits: Interval  # err/hits
    times: float  # hits of the plain cosine on the same prompts
    audited: float  # of the hits: answered afresh too
    judged: float  # of the prompts
    target: float | None = None
    met: bool | None = None


def rows(stream: Stream, decider: Decider, threshold: float, seeds: int) -> Iterator[StreamRow]:
    """Of the second half of each order, when there has been something to learn from; prompts come in random order."""
    plain = _runs(PlainCosine(threshold), stream, seeds)
    yield _row(stream, f"cosine {threshold}", plain, plain)
    yield _row(stream, "verifier", _runs(VerifierAlone(decider), stream, seeds), plain)
    for guards in (GuardPolicy.STRICT, GuardPolicy.LENIENT):
        for target in TARGETS:
            runs = _runs(Calibrated(decider, target, guards=guards), stream, seeds)
            yield _row(stream, f"calibrated, {guards.value} guards", runs, plain, target)


def _runs(policy: Policy, stream: Stream, seeds: int) -> list[Outcome]:
    return [policy.run(stream, order(stream, seed), seed) for seed in range(seeds)]


def order(stream: Stream, seed: int) -> list[int]:
    found: list[int] = np.random.default_rng(seed).permutation(len(stream.texts)).tolist()
    return found


def _row(
    stream: Stream, policy: str, runs: Sequence[Outcome], plain: Sequence[Outcome], target: float | None = None
) -> StreamRow:
    half = len(stream.texts) // 2
    hits = np.concatenate([run.hits[half:] for run in runs])
    wrong = np.concatenate([run.wrong[half:] for run in runs])
    usual = sum(sum(run.hits[half:]) for run in plain)
    share, wrong_of_all, wrong_of_hits = shares(hits, wrong)
    served, prompts = sum(sum(run.hits) for run in runs), len(stream.texts) * len(runs)
    return StreamRow(
        stream.name,
        policy,
        "second half",
        len(hits),
        share,
        wrong_of_all,
        wrong_of_hits,
        float(hits.sum()) / max(usual, 1),
        sum(run.audits for run in runs) / max(served, 1),
        sum(run.judged for run in runs) / prompts,
        target,
        None if target is None else wrong_of_hits.value <= target,
    )
