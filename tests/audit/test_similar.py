"""The search for near duplicates, against one that looks at every pair, and with the real model."""

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from audit.auditing import SETTINGS, audited, both, gathered, part
from audit.logs import SYSTEM, pair, write
from numpy.typing import NDArray

from aico.audit import similar
from aico.audit.gather import Options
from aico.audit.reading import Lines
from aico.audit.rows import Row
from aico.audit.savings import Question as Asked
from aico.audit.similar import Kept, Near, Question, Search, served_by
from aico.audit.vectors import Vectors
from aico.embedding_service.factory import describe, load_embedder

needs_model = pytest.mark.skipif(describe(SETTINGS).missing is not None, reason="the embedding model is not installed")
LIFE, LOOKED_AT, MOST = 150.0, 0.9, 3
EXAMPLES = Path(__file__).parents[2] / "examples/prompts.jsonl"


def one_by_one(
    questions: list[Question], vectors: Vectors, known: np.ndarray, threshold: float
) -> tuple[list[int], list[list[float]]]:
    """Which question's answer each is served, -1 for none, and the cosines between which was chosen.

    No blocks, no shortcuts.
    """
    kept: list[int] = []
    found, offered = [], []
    for place, question in enumerate(questions):
        live = [other for other in kept if questions[other].ready <= question.at < questions[other].ready + LIFE]
        same = [other for other in live if questions[other].fingerprint == question.fingerprint]
        cosines = {
            other: float(vectors[place].astype(np.float32) @ vectors[other].astype(np.float32))
            for other in live
            if known[place] and known[other]
        }
        near = sorted((cosine for cosine in cosines.values() if cosine >= LOOKED_AT), reverse=True)[:MOST]
        if near and not same:
            offered.append(near)
        best = max(cosines, key=lambda other: cosines[other], default=-1)
        served = same[0] if same else best if cosines.get(best, 0) >= threshold else -1
        if served < 0:
            kept.append(place)
        found.append(served)
    return found, offered


@pytest.mark.parametrize("seed", range(4))
def test_the_search_in_blocks_finds_what_looking_at_every_pair_finds(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(similar, "_BLOCK", 16)
    monkeypatch.setattr(similar, "_CHUNK", 24)
    random = np.random.default_rng(seed)
    centres = random.normal(size=(12, 384))
    texts = random.integers(60, size=300)
    noise = random.normal(size=(60, 384)) * 0.25
    vectors = np.array([centres[text % 12] + noise[text] for text in texts])
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
    times = np.sort(random.uniform(0, 1000, size=300))
    questions = [
        Question(place, bytes([text]), float(at), float(at + random.exponential(3)), LIFE)
        for place, (text, at) in enumerate(zip(texts, times, strict=True))
    ]
    known = texts % 7 > 0
    offered: list[list[float]] = []

    def nearest(_: int, near: Sequence[Near]) -> Kept | None:
        offered.append([one.cosine for one in near])
        return near[0].kept if near[0].cosine >= 0.95 else None

    found = served_by(questions, vectors, known, Search(LOOKED_AT, MOST, nearest))
    expected, choices = one_by_one(questions, vectors, known, 0.95)
    assert len(offered) == len(choices)
    for one, other in zip(offered, choices, strict=True):
        assert one == pytest.approx(other, abs=1e-5)
    assert {len(one) for one in choices} == set(range(1, MOST + 1))
    assert [-1 if kept is None else kept.place for kept in found] == expected
    assert {-1} < set(expected)


@needs_model
def test_other_words_of_one_question_are_served_within_one_namespace(tmp_path: Path) -> None:
    def ask(question: str, second: float, system: str = SYSTEM) -> dict[str, object]:
        messages = [{"role": "system", "content": system}, {"role": "user", "content": question}]
        return pair("", second=second, messages=messages)

    lines = [
        ask("What is Python?", 0),
        ask("what is python?", 60),  # the model knows no capitals: cosine 1
        ask("Explain Python", 120),  # 0.81
        ask("what is python?", 180, "You are a zoo keeper."),
    ]
    report, savings = both(tmp_path, lines, embedder=load_embedder(SETTINGS))
    assert savings.served.how.tolist() == [0, 2, 0, 0]
    assert (part(report, "semantic").calls, report.evidence.semantic.same) == (1, 1)


@needs_model
def test_the_example_prompts_repeat_as_their_file_says(tmp_path: Path) -> None:
    """Our own traffic: each prompt as a call a minute after the one before."""
    prompts = [json.loads(line) for line in EXAMPLES.read_text().splitlines()]
    lines = [
        pair(
            "",
            second=60.0 * number,
            max_tokens=one["max_tokens"],
            messages=[{"role": "system", "content": one["system"]}, {"role": "user", "content": one["prompt"]}],
        )
        for number, one in enumerate(prompts)
    ]
    asked = Asked(short_ttl=Asked().ttl)  # some ask for prices, a quarter of an hour after they were asked before
    report, savings = both(tmp_path, lines, asked, embedder=load_embedder(SETTINGS))
    kinds = [one.get("relation", {}).get("kind") for one in prompts]
    served = savings.served.how.tolist()
    assert [place for place, how in enumerate(served) if how == 1] == [
        place for place, kind in enumerate(kinds) if kind == "repeat"
    ]
    assert {kinds[place] for place, how in enumerate(served) if how == 2} == {"paraphrase"}
    assert report.evidence.unsearched_calls < len(prompts)


def test_a_row_keeps_no_words() -> None:
    assert not {"text", "messages", "request", "answer_text"} & set(Row.__slots__)


def test_without_a_model_nothing_is_compared(tmp_path: Path) -> None:
    report = audited(tmp_path, [pair("What is Python?"), pair("what is python?", second=60)])
    assert part(report, "semantic").calls == 0
    assert report.question["similarity_threshold"] is None


class Marks:
    """Stands in for the model: texts of one first letter are alike, others are not."""

    fingerprint, dimensions = "marks", 384

    def reads(self, text: str) -> bool:
        return len(text) < 100

    def count(self, text: str) -> int | None:
        return len(text)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        found = np.zeros((len(texts), 384), np.float32)
        for row, text in zip(found, texts, strict=True):
            row[sum(map(ord, text.split()[0])) % 384] = 1
        return found


def test_a_sample_finds_less_and_allows_for_more(tmp_path: Path) -> None:
    """Pairs of near duplicates: half of the log could be served."""
    lines = [pair(f"{n % 300} {'again' if n >= 300 else ''}", second=float(n)) for n in range(600)]
    whole = audited(tmp_path, lines, embedder=Marks())
    sampled = audited(tmp_path, lines, embedder=Marks(), options=Options(sample=250))
    one, other = part(whole, "semantic").cents, part(sampled, "semantic").cents
    assert sampled.evidence.compared_share == 0.25
    assert 0 < other.hopeful < one.hopeful
    assert other.low <= one.hopeful <= other.high
    assert other.high - other.low > one.high - one.low
    assert sampled.log == whole.log
    assert any("25.00% of the last turns" in warning for warning in sampled.warnings)


def test_a_text_that_the_model_does_not_read_whole_is_not_compared(tmp_path: Path) -> None:
    long = "x " * 60
    lines = [pair(f"{long}{n}", second=60.0 * n) for n in range(3)]
    report = audited(tmp_path, lines, embedder=Marks())
    assert (part(report, "semantic").calls, report.evidence.unsearched_calls) == (0, 3)


def test_a_turn_that_is_alone_in_its_namespace_costs_no_vector(tmp_path: Path) -> None:
    lines = Lines()
    path = write(tmp_path / "log.jsonl", [pair("a", max_tokens=n + 1) for n in range(5)] + [pair("b"), pair("c")])
    assert len(gathered(path, lines, embedder=Marks()).vectors) == 2


def test_near_hits_that_are_probably_wrong_are_only_hoped_for(tmp_path: Path) -> None:
    lines = [
        *(pair("order 1", "Late.", second=0), pair("order 2", "Late.", second=60)),  # another number
        *(pair("review so", "Kind.", second=120), pair("review or so", "Unkind.", second=180)),  # other short answers
        *(pair("tents a", "Yes.", second=240), pair("tents b", "yes. ", second=300)),
    ]
    report, savings = both(tmp_path, lines, embedder=Marks())
    assert savings.served.how.tolist() == [0, 0, 0, 2, 0, 2]
    assert savings.doubtful.tolist() == [False, False, False, True, False, False]
    semantic = part(report, "semantic").cents
    assert (semantic.cautious, semantic.hopeful) == (Decimal("0.4"), Decimal("0.8"))
    assert report.evidence.doubtful_hits == 1


@needs_model
@pytest.mark.parametrize(
    ("first", "second", "served"),
    [
        ("How do I reset my password?", "how can I reset my password", True),
        ("Trains from Vienna to Riga", "Trains from Riga to Vienna", False),  # cosine 0.99
        ("Give me a meal plan for 3 days", "Give me a meal plan for 5 days", False),
        ("Is the library open?", "Is the library open now?", False),
    ],
    ids=["the-same", "other-roles", "another-number", "now"],
)
def test_the_service_itself_decides_what_near_duplicates_are(
    tmp_path: Path, first: str, second: str, served: bool
) -> None:
    _, savings = both(tmp_path, [pair(first), pair(second, second=60)], embedder=load_embedder(SETTINGS))
    assert savings.served.how.tolist() == [0, 2 if served else 0]


@needs_model
def test_what_is_further_off_than_the_service_looks_is_not_served(tmp_path: Path) -> None:
    lines = [pair("I have 20 EUR, in dollars?"), pair("I have 20 EUR, in dollars, please?", second=60)]
    model = load_embedder(SETTINGS)
    for asked, how in ((Asked(), 2), (Asked(threshold=1.0), 0)):
        assert both(tmp_path, lines, asked, embedder=model)[1].served.how.tolist() == [0, how]


def test_what_is_soon_out_of_date_is_kept_shortly_and_what_is_personal_for_its_user(tmp_path: Path) -> None:
    opening, mine = "What are your opening hours?", "Where is my order?"
    lines = [
        *(pair(opening, second=0), pair(opening, second=800), pair(opening, second=1000)),
        *(pair(mine, second=2000 + n, user=user) for n, user in enumerate(("ann", "bob", "ann"))),
        *(pair("What is a tent?", second=3000), pair("What is a tent?", second=90_000, user="bob")),
    ]
    _, savings = both(tmp_path, lines)
    assert savings.served.how.tolist() == [0, 1, 0, 0, 0, 1, 0, 1]
