"""Pairs of prompts, of which one is asked while the other's answer is kept: what is served, and what wrongly."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aico.caching.deciding import Decider, Known
from aico.core.cache_policy import GuardPolicy
from aico.core.embedding import LEAST_SIMILARITY
from aico.embedding_service.protocol import Embedder
from bench.cache.intervals import Interval, shares
from bench.cache.prompts import Pair

Served = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class PairRow:
    name: str
    policy: str
    pairs: int
    hits: Interval  # of all pairs
    wrong: Interval  # wrong ones, of all pairs: err/N
    wrong_of_hits: Interval  # err/hits
    wanted: float | None  # served, of the pairs with one answer
    refused: float | None  # wrongly served, of the pairs with two answers


@dataclass(frozen=True, slots=True)
class _Kept:
    question: str
    similarity: float
    group: int = 0
    compared: bool = True


def rows(name: str, pairs: Sequence[Pair], embedder: Embedder, decider: Decider, threshold: float) -> list[PairRow]:
    """Of the plain cosine and of the verifier; all pairs, then by what they try."""
    one, two = embedder.embed([pair.a for pair in pairs]), embedder.embed([pair.b for pair in pairs])
    cosines = np.sum(one * two, axis=1, dtype=float)
    policies = {
        f"cosine {threshold}": cosines >= threshold,
        "verifier": np.array(
            [_served(decider, pair, float(cosine)) for pair, cosine in zip(pairs, cosines, strict=True)]
        ),
    }
    capabilities = sorted({pair.capability for pair in pairs} - {""})
    parts = [(name, np.ones(len(pairs), bool))] + [
        (f"{name}: {capability}", np.array([pair.capability == capability for pair in pairs]))
        for capability in capabilities
    ]
    same = np.array([pair.same for pair in pairs])
    return [
        _row(part, policy, served[chosen], same[chosen])
        for part, chosen in parts
        for policy, served in policies.items()
    ]


def _served(decider: Decider, pair: Pair, cosine: float) -> bool:
    near = [_Kept(pair.b, cosine)] if cosine >= LEAST_SIMILARITY else []
    decision = decider.decide(pair.a, near, Known(), GuardPolicy.STRICT)
    return decision is not None and decision.served


def _row(name: str, policy: str, served: Served, same: Served) -> PairRow:
    hits, wrong, wrong_of_hits = shares(served, served & ~same)
    return PairRow(
        name,
        policy,
        len(same),
        hits,
        wrong,
        wrong_of_hits,
        float(served[same].mean()) if same.any() else None,
        float(served[~same].mean()) if (~same).any() else None,
    )
