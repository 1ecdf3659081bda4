"""By what a model is chosen where the caller leaves the choice."""

from enum import StrEnum


class StrategyName(StrEnum):
    COMPLEXITY = "complexity"  # how demanding the prompt looks
    LEARNING = "learning"  # what the tenant's own outcomes taught
    HYBRID = "hybrid"  # learning, held against complexity
    CASCADE = "cascade"  # a cheap answer first, and a better one where that does not pass the check
