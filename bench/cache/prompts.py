"""Labelled prompts of a folder of development sets: pairs, and streams of prompts whose labels say which share an answer."""

import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aico.core.errors import AicoError
from aico.embedding_service.protocol import Embedder

Floats = NDArray[np.float32]
INTENTS, PROMPTS, MINIMAL = "intents", "prompt_pairs", "minimal_pairs"


class PromptsMissing(AicoError):
    code = "prompts_missing"
    title = "Labelled prompts not found"


@dataclass(frozen=True, slots=True)
class Pair:
    a: str
    b: str
    same: bool
    capability: str = ""


@dataclass(frozen=True)
class Stream:
    """Prompts in any order. Two of one label have the same answer."""

    name: str
    texts: Sequence[str]
    vectors: Floats  # (prompts, 384), of length 1
    labels: NDArray[np.int64]


def read_pairs(folder: Path, name: str) -> list[Pair]:
    return [Pair(row["a"], row["b"], bool(row["same"]), row.get("capability", "")) for row in _rows(folder, name)]


def intents(folder: Path, embedder: Embedder) -> Stream:
    rows = list(_rows(folder, INTENTS))
    texts = [row["text"] for row in rows]
    labels = np.unique([row["intent"] for row in rows], return_inverse=True)[1]
    return Stream("support questions", texts, embedder.embed(texts), labels)


def of_pairs(name: str, pairs: Sequence[Pair], embedder: Embedder) -> Stream:
    """All texts of the pairs; those that are connected by pairs with the same answer have one label.

    Texts of which no pair says that they share an answer count as different, although some may.
    """
    root: dict[str, str] = {}
    for pair in pairs:
        for text in (pair.a, pair.b):
            root.setdefault(text, text)
        if pair.same:
            root[_top(root, pair.a)] = _top(root, pair.b)
    texts = list(root)
    labels = np.unique([_top(root, text) for text in texts], return_inverse=True)[1]
    return Stream(name, texts, embedder.embed(texts), labels)


def _top(root: dict[str, str], text: str) -> str:
    while root[text] != text:
        text = root[text]
    return text


def _rows(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    found = sorted(folder.glob(f"{name}*.jsonl.gz"))
    if not found:
        raise PromptsMissing(f"{folder} has no {name}*.jsonl.gz; give the folder with --data")
    for file in found:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            yield from map(json.loads, lines)
