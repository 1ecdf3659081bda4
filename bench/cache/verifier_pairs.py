"""Labelled pairs with what the verifier sees in them: our own, and those of a folder of development sets."""

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aico.embedding_service.protocol import Embedder
from aico.embedding_service.verification.comparison import Guard, Verifier
from bench.cache.fitting import Floats
from bench.cache.templates import Labelled, labelled

_EACH = 24  # pairs of a template
_MOST_NEIGHBOURS = 6_000


@dataclass(frozen=True, slots=True)
class Pairs:
    labelled: Sequence[Labelled]  # `template` names what is left out together
    cosine: Floats
    features: Floats
    guards: Sequence[tuple[Guard, ...]]

    @property
    def same(self) -> Floats:
        return np.array([pair.same for pair in self.labelled], float)

    @property
    def groups(self) -> NDArray[np.str_]:
        return np.array([pair.template for pair in self.labelled])


def own(embedder: Embedder, verifier: Verifier) -> Pairs:
    return _seen(labelled(_EACH), embedder, verifier)


def minimal(folder: Path, embedder: Embedder, verifier: Verifier) -> Pairs:
    rows = _read(folder / "minimal_pairs.dev.jsonl.gz")
    return _seen([Labelled(row["test"], row["a"], row["b"], bool(row["same"])) for row in rows], embedder, verifier)


def prompts(folder: Path, embedder: Embedder, verifier: Verifier) -> Pairs:
    """Grouped by connected texts: two pairs with a text in common are left out together."""
    rows = list(_read(folder / "prompt_pairs.dev.jsonl.gz"))
    root: dict[str, str] = {}
    for row in rows:
        root[_root(root, row["a"])] = _root(root, row["b"])
    found = [Labelled(_root(root, row["a"]), row["a"], row["b"], bool(row["same"])) for row in rows]
    return _seen(found, embedder, verifier)


def intents(folder: Path, embedder: Embedder, verifier: Verifier, near: float) -> Pairs:
    """Pairs of prompts with a cosine of at least `near`; of the same intent counts as of the same answer."""
    rows = list(_read(folder / "intents.dev.jsonl.gz"))
    vectors = embedder.embed([row["text"] for row in rows])
    one, two = np.nonzero(np.triu(vectors @ vectors.T >= near, 1))
    chosen = np.random.default_rng(0).permutation(len(one))[:_MOST_NEIGHBOURS]
    found = [
        Labelled("intents", rows[a]["text"], rows[b]["text"], rows[a]["intent"] == rows[b]["intent"])
        for a, b in zip(one[chosen], two[chosen], strict=True)
    ]
    return _seen(found, embedder, verifier)


def folds(groups: NDArray[np.str_], count: int) -> Iterator[NDArray[np.bool_]]:
    """Which rows are left out, fold by fold; a group is in one fold."""
    by_group = defaultdict[str, int](int)
    for place, group in enumerate(sorted(set(groups.tolist()))):
        by_group[group] = place % count
    places = np.array([by_group[group] for group in groups.tolist()])
    for fold in range(count):
        yield places == fold


def _seen(found: Sequence[Labelled], embedder: Embedder, verifier: Verifier) -> Pairs:
    vectors = embedder.embed([pair.asked for pair in found] + [pair.kept for pair in found])
    cosine = np.sum(vectors[: len(found)] * vectors[len(found) :], axis=1, dtype=float)
    compared = [verifier.compare(pair.asked, pair.kept, float(near)) for pair, near in zip(found, cosine, strict=True)]
    return Pairs(found, cosine, np.array([one.features for one in compared]), [one.guards for one in compared])


def _root(root: dict[str, str], text: str) -> str:
    while root.get(text, text) != text:
        text = root[text]
    return text


def _read(file: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)
