"""The published outcomes that routers are measured on, with what the product reads off each prompt."""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from aico.routing.features import Features, features_of
from bench.routing.vectors import vectors_of

Numbers = NDArray[np.float64]

# US dollars for a million tokens, as RouteLLM and LLMRouter list them, from the cheapest to the dearest.
_PAIR = MappingProxyType({"mixtral-8x7b": 0.24, "gpt-4-1106": 24.7})
_NINE = MappingProxyType(
    {
        "gemma-2-9b-it": 0.1,
        "codegemma-7b": 0.2,
        "llama-3.1-8b-instruct": 0.2,
        "llama3-chatqa-1.5-8b": 0.2,
        "mistral-7b-instruct-v0.3": 0.2,
        "qwen2.5-7b-instruct": 0.2,
        "llama-3.1-nemotron-51b-instruct": 0.9,
        "llama-3.3-nemotron-super-49b-v1": 0.9,
        "llama3-chatqa-1.5-70b": 0.9,
    }
)


@dataclass(frozen=True)
class Shape:
    file: str
    prices: Mapping[str, float]  # by model, from the cheapest to the dearest
    weak: str
    strong: str
    most_labels: int  # at least a third of the prompts is kept for testing


SHAPES: Mapping[str, Shape] = MappingProxyType(
    {
        "mmlu": Shape("mmlu.dev.jsonl.gz", _PAIR, "mixtral-8x7b", "gpt-4-1106", 1500),
        "gsm8k": Shape("gsm8k.dev.jsonl.gz", _PAIR, "mixtral-8x7b", "gpt-4-1106", 320),
        "nine": Shape(
            "llmrouter.dev.jsonl.gz", _NINE, "mistral-7b-instruct-v0.3", "llama-3.1-nemotron-51b-instruct", 1000
        ),
    }
)


class TablesMissing(Exception):
    """The tables are not where they were looked for."""


@dataclass(frozen=True)
class Table:
    name: str
    prompts: tuple[str, ...]
    features: tuple[Features, ...]
    scores: Mapping[str, Numbers]  # by model, one for each prompt, in 0..1
    responses: tuple[Mapping[str, str], ...]  # by model; empty where the table has none
    shape: Shape
    lengths: tuple[int, ...] = ()  # of several sorts of traffic, one after the other

    @property
    def blocks(self) -> tuple[NDArray[np.int64], ...]:
        """Indices of the prompts, by sort of traffic."""
        return tuple(np.split(np.arange(len(self.prompts)), np.cumsum(self.lengths)[:-1].astype(int)))

    @property
    def weak(self) -> Numbers:
        return self.scores[self.shape.weak]

    @property
    def strong(self) -> Numbers:
        return self.scores[self.shape.strong]

    @property
    def prices(self) -> tuple[float, float]:
        """Of a call of the weak and of the strong model, in one unit."""
        return self.shape.prices[self.shape.weak], self.shape.prices[self.shape.strong]


def load_table(folder: Path, name: str, cache: Path) -> Table:
    """Raises TablesMissing; vectors are kept in `cache`."""
    shape = SHAPES[name]
    path = folder / shape.file
    if not path.is_file():
        raise TablesMissing(f"{path} is not there; name the folder of the published tables with --data")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    prompts = tuple(row["prompt"] for row in rows)
    vectors = vectors_of(prompts, cache)
    return Table(
        name,
        prompts,
        tuple(features_of(prompt, vector) for prompt, vector in zip(prompts, vectors, strict=True)),
        {model: np.array([row["score"][model] for row in rows]) for model in shape.prices},
        tuple(row.get("response", {}) for row in rows),
        shape,
    )


def one_after_the_other(name: str, first: Table, second: Table) -> Table:
    """Traffic that changes. Both tables have the same models."""
    return Table(
        name,
        first.prompts + second.prompts,
        first.features + second.features,
        {model: np.concatenate([scores, second.scores[model]]) for model, scores in first.scores.items()},
        (),
        first.shape,
        (len(first.prompts), len(second.prompts)),
    )
