"""The complexity score on outcomes that others published: no worse at ranking prompts than their length is.

APGR (RouteLLM, arXiv 2406.18665): the share of the quality gap between a weak and a strong model that is recovered,
averaged over all shares of calls sent to the strong one; 0.5 is random.
"""

import gzip
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from statistics import fmean

import pytest

from aico.core.chat import ChatRequest, Message, Role
from aico.routing.difficulty import assess
from aico.routing.features import extract_features

FOLDER = Path(__file__).parents[2].parent / "shared" / "data" / "routing"
PAIRS = {  # table: weak model, strong model
    "gsm8k": ("mixtral-8x7b", "gpt-4-1106"),
    "mmlu": ("mixtral-8x7b", "gpt-4-1106"),
    "llmrouter": ("mistral-7b-instruct-v0.3", "llama-3.1-nemotron-51b-instruct"),
}
TOLERANCE = 0.01

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the published tables are not here")


def load(table: str) -> tuple[list[str], list[float]]:
    """Prompts, and what the strong model gains over the weak one on each."""
    weak, strong = PAIRS[table]
    with gzip.open(FOLDER / f"{table}.dev.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [row["prompt"] for row in rows], [row["score"][strong] - row["score"][weak] for row in rows]


def apgr(scores: Iterable[float], gains: Sequence[float]) -> float:
    """Trapezoid over all thresholds; ties share their gains, which is the mean over their random orders."""
    tied: defaultdict[float, list[float]] = defaultdict(list)
    for score, gain in zip(scores, gains, strict=True):
        tied[score].append(gain)
    ordered = [fmean(tied[score]) for score in sorted(tied, reverse=True) for _ in tied[score]]
    recovered = [0.0, *accumulate(ordered)]
    between = [(left + right) / 2 for left, right in pairwise(recovered)]
    return fmean(between) / recovered[-1]


def complexity(prompt: str) -> float:
    return assess(extract_features(ChatRequest(messages=(Message(role=Role.USER, content=prompt),))))[0]


def test_the_measure_itself() -> None:
    gains = [1.0, 0.0, 0.0, 1.0]
    assert apgr([4, 1, 2, 3], gains) == pytest.approx(0.75)
    assert apgr([1, 4, 3, 2], gains) == pytest.approx(0.25)
    assert apgr([0, 0, 0, 0], gains) == pytest.approx(0.5)


@pytest.mark.parametrize("table", PAIRS)
def test_no_worse_than_length(table: str) -> None:
    prompts, gains = load(table)
    by_length = apgr([len(prompt) for prompt in prompts], gains)
    assert apgr([complexity(prompt) for prompt in prompts], gains) >= by_length - TOLERANCE


def test_scores_spread_over_real_prompts() -> None:
    """A score that puts most traffic into one level routes nothing."""
    scores = [complexity(prompt) for table in PAIRS for prompt in load(table)[0]]
    tenths = [sum(tenth / 10 <= score < (tenth + 1) / 10 for score in scores) / len(scores) for tenth in range(10)]
    assert max(tenths) < 1 / 3
    assert sum(share > 0.02 for share in tenths) >= 7
