"""How probable it is that one answer serves both of two texts, by what can be seen on them and their cosine."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from aico.embedding_service.verification.features import FEATURES, see
from aico.embedding_service.verification.guards import Guard
from aico.embedding_service.verification.profile import TextProfile, profile
from aico.embedding_service.verification.vectors import WordVectors
from aico.embedding_service.verification.weights import BIAS, WEIGHTS

__all__ = ["FEATURES", "Comparison", "Guard", "TextProfile", "Verifier", "profile"]

EQUAL = 0.995  # of texts that differ in nothing that has a meaning
_COLUMN = tuple(WEIGHTS.get(name, 0.0) for name in FEATURES)


@dataclass(frozen=True, slots=True)
class Comparison:
    score: float  # 0..1, exclusive: the probability that one answer serves both
    guards: tuple[Guard, ...]  # that object
    features: tuple[float, ...]  # in the order of FEATURES

    def named(self) -> Mapping[str, float]:
        return dict(zip(FEATURES, self.features, strict=True))


class Verifier:
    """Compares texts. Safe to call from several threads; build one per process."""

    def __init__(self, words: WordVectors | None = None) -> None:
        """Without `words` all words that are no synonyms are equally far from each other."""
        self._words = words

    def compare(self, asked: str, kept: str, cosine: float) -> Comparison:
        """`cosine` in -1..1 is that of the two texts' embeddings. Costs two profiles and one comparison of them."""
        return self.compare_profiles(profile(asked), profile(kept), cosine)

    def compare_profiles(self, asked: TextProfile, kept: TextProfile, cosine: float) -> Comparison:
        if asked.folded == kept.folded:
            seen = see(asked, asked, cosine, self._words)
            return Comparison(EQUAL, (), seen.features)
        seen = see(asked, kept, cosine, self._words)
        return Comparison(score_of(seen.features), seen.guards, seen.features)


def score_of(features: tuple[float, ...]) -> float:
    total = BIAS + sum(weight * value for weight, value in zip(_COLUMN, features, strict=True))
    return 1 / (1 + math.exp(-min(max(total, -30.0), 30.0)))
