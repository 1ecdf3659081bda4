"""What a tenant allows of answers that are served for another question than their own."""

from dataclasses import dataclass
from enum import StrEnum

MAX_ERROR_RATE = 0.5  # per hit; nobody means more


class GuardPolicy(StrEnum):
    """Which differences between two questions forbid that one's answer is served for the other, whatever the score."""

    STRICT = "strict"  # any that is seen
    LENIENT = "lenient"  # in facts: numbers, units, quotations, code, languages
    OFF = "off"  # none: the score alone decides


@dataclass(frozen=True, slots=True)
class Basis:
    """Of what a namespace's calibration was computed, and for what. None: that was not noted."""

    features: int = 0  # version of what scores are made of; 0: there is no calibration
    model: str | None = None  # fingerprint of the embedding variant whose cosines are among that
    target: float | None = None  # the error per hit that is allowed
    confidence: float | None = None  # with which that is kept

    def holds(self, needed: "Basis") -> bool:
        """Whether it may be relied on: it is of the same scores, for no more errors, and as sure."""
        return (
            self.of_same_scores(needed)
            and (self.target is None or needed.target is None or self.target <= needed.target)
            and (self.confidence is None or needed.confidence is None or self.confidence >= needed.confidence)
        )

    def of_same_scores(self, needed: "Basis") -> bool:
        return self.features == needed.features and self.model in {None, needed.model}

    def outdated(self, needed: "Basis") -> bool:
        """Whether it is to be computed anew. For another model there is nothing to compute until it has verdicts."""
        own = (self.features, self.target, self.confidence)
        return own != (needed.features, needed.target, needed.confidence)


NO_BASIS = Basis()
