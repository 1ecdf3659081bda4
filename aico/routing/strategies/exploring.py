"""Now and then another model is tried, or nothing would ever be learned of those that are not chosen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aico.routing.models import Model

EXPLORED = 0.03  # share of the decisions in which the first model is drawn, each permitted one with equal chance


@dataclass(frozen=True)
class Explored:
    candidates: tuple[Model, ...]
    chances: Mapping[str, float]  # by model, of coming first
    drawn: bool


def explore(candidates: Sequence[Model], chance: float) -> Explored:
    """`candidates` are all permitted, best first; `chance` is uniform in 0..1 and decides alone."""
    each = EXPLORED / len(candidates)
    chances = {model.id: each for model in candidates}
    chances[candidates[0].id] += 1 - EXPLORED
    if chance >= EXPLORED or len(candidates) == 1:  # of one alone nothing is left to chance
        return Explored(tuple(candidates), chances, drawn=False)
    drawn = candidates[min(len(candidates) - 1, int(chance / each))]
    return Explored((drawn, *(model for model in candidates if model is not drawn)), chances, drawn=True)
