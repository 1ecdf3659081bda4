"""Calls that were sent to a better model than they look to need.

Nothing in a log says whether a cheaper model would have answered as well. What is estimated is the price of the
cheapest model that the complexity strategy would take to be good enough, for the same tokens.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from aico.audit.naming import Named
from aico.audit.rows import Row
from aico.audit.state import Cents, State
from aico.core.usage import Usage
from aico.routing.models import Capability, Model
from aico.routing.strategies.complexity import needed_quality

CAUTION = 0.15  # of the score: the margin within which the strategy is sure of its choice


class Routes:
    def __init__(self, models: Sequence[Model], *, margin: float = 0.0, floor: float = 0.0) -> None:
        """`margin` is added to every score, 0..1; no model of a lower rank than `floor` is chosen."""
        self._models = sorted(models, key=lambda model: (model.quality, model.id))
        self._margin = margin
        self._floor = floor
        self._able = lru_cache(maxsize=None)(self._find_able)

    def save(self, state: State) -> Cents:
        """What the cheaper choices save, by row. Calls of models without a rank, or without tokens, stay."""
        saved = np.zeros(len(state.log.rows))
        for place, row in enumerate(state.log.rows):
            usage = state.usage[place]
            if not state.open[place] or usage is None or row.named.model is None or not state.cents[place] > 0:
                continue
            saved[place] = self._move(state, place, row, usage)
        return saved

    def _move(self, state: State, place: int, row: Row, usage: Usage) -> float:
        """Another provider has nothing of this prompt in its cache yet."""
        fresh = usage.model_copy(
            update={"input_uncached": usage.input_total, "cache_read": 0, "cache_write": 0, "tier": "standard"}
        )
        listed = float(state.listed[place])
        best, least = None, listed
        for model in self._able(row.needs, self.needed(row.score)):
            if row.named.model is not None and model.quality >= row.named.model.quality:
                break
            if usage.input_total + usage.output > model.context_window or usage.output > model.max_output:
                continue
            named = Named(model.id, model.provider, model)
            cents = state.pricer.list_cents(named, fresh, row.at)
            if cents < least:
                best, least = named, cents
        if best is None:
            return 0.0
        state.named[place], state.usage[place] = best, fresh
        return state.reprice(place, least)

    def needed(self, score: float) -> float:
        return max(self._floor, needed_quality(min(1.0, score + self._margin)))

    def _find_able(self, needs: frozenset[Capability], needed: float) -> tuple[Model, ...]:
        return tuple(model for model in self._models if model.quality >= needed and needs <= model.capabilities)
