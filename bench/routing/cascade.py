"""A cheap answer first: what its check recovers on the table that has the answers' texts. The draft is always paid."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from aico.routing.strategies.cascade import CascadeStrategy
from aico.routing.strategies.learning import LearningStrategy
from aico.routing.verifier.drafts import Drafted, drafted
from bench.routing.metrics import Numbers, first_share, recovered, sweep
from bench.routing.offline import Indices
from bench.routing.row import Row, row
from bench.routing.tables import Table

_BY_SIGNS, _LEARNED = "cascade, signs alone", "cascade, learned verifier"
_AIMS: Mapping[str, float] = MappingProxyType({_BY_SIGNS: 0.66, _LEARNED: 0.74})

Pair = tuple[str, str]
Scored = Callable[[Sequence[Drafted], Table, Indices, Indices, Pair], Numbers]


def rows(table: Table, seeds: int) -> Iterator[Row]:
    """Half of the outcomes teach, the other half is measured. Nothing where the table has no answers."""
    if not all(table.responses):
        return
    pair = (table.shape.weak, table.shape.strong)
    drafts = [
        drafted(prompt, response[pair[0]], features.vector)
        for prompt, response, features in zip(table.prompts, table.responses, table.features, strict=True)
    ]
    for name, scored in _ROUTERS.items():
        found, shares = [], []
        for seed in range(seeds):
            order = np.random.default_rng(seed).permutation(len(drafts))
            taught, unseen = order[: len(order) // 2], order[len(order) // 2 :]
            scores = scored(drafts, table, taught, unseen, pair)
            weak, strong = table.weak[unseen], table.strong[unseen]
            share = first_share(sweep(scores, weak, strong), 0.95 * float(strong.mean()))
            shares.append(share)
            found.append(recovered(scores, weak, strong, table.prices))
            if name != _PROMPT:
                found[-1] = replace(found[-1], cost95=share + table.prices[0] / table.prices[1])
        setting = f"half taught, strong@95 {np.mean(shares):.1%}"
        yield row(table.name, name, setting, found, _AIMS.get(name))


def _length(drafts: Sequence[Drafted], _: Table, _taught: Indices, unseen: Indices, _pair: Pair) -> Numbers:
    return np.array([float(len(drafts[one].answer.text)) for one in unseen])


def _by_signs(drafts: Sequence[Drafted], _: Table, _taught: Indices, unseen: Indices, pair: Pair) -> Numbers:
    cascade = CascadeStrategy(pair)
    return np.array([cascade.score(drafts[one]) for one in unseen])


def _learned(drafts: Sequence[Drafted], table: Table, taught: Indices, unseen: Indices, pair: Pair) -> Numbers:
    cascade = CascadeStrategy(pair)
    for one in taught:
        for model in pair:
            cascade.update(drafts[one], model, float(table.scores[model][one]))
    return np.array([cascade.score(drafts[one]) for one in unseen])


def _by_prompt(drafts: Sequence[Drafted], table: Table, taught: Indices, unseen: Indices, pair: Pair) -> Numbers:
    learning = LearningStrategy(pair)
    for one in taught:
        for model in pair:
            learning.update(drafts[one].features, model, float(table.scores[model][one]))
    learning.solve()
    return np.array([learning.score(drafts[one].features) for one in unseen])


_PROMPT = "prompt only (learning)"
_ROUTERS: Mapping[str, Scored] = MappingProxyType(
    {"answer length": _length, _BY_SIGNS: _by_signs, _LEARNED: _learned, _PROMPT: _by_prompt}
)
