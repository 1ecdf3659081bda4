import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from aico.embedding_service.model_files import bundled_model_dir
from aico.embedding_service.openvino_runtime import OpenVINOEmbedder
from aico.embedding_service.protocol import Embedder


def cosines(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    found: NDArray[np.float32] = (left * right).sum(axis=1) / norms
    return found


@pytest.fixture(scope="module")
def vectors(openvino_embedder: Embedder, texts: list[str]) -> NDArray[np.float32]:
    return openvino_embedder.embed(texts)


def test_agrees_with_the_reference_on_every_text(
    vectors: NDArray[np.float32], reference_vectors: NDArray[np.float32]
) -> None:
    assert cosines(vectors, reference_vectors).min() >= 0.999


@pytest.mark.parametrize(("precision", "least"), [("f32", 0.99999), ("bf16", 0.999)])
def test_both_precisions_agree_with_the_reference(
    precision: str, least: float, texts: list[str], reference_vectors: NDArray[np.float32]
) -> None:
    folder = bundled_model_dir()
    assert folder is not None
    embedder = OpenVINOEmbedder(folder, precision=precision)
    assert cosines(embedder.embed(texts), reference_vectors).min() >= least
    assert f"openvino-{precision}:" in embedder.fingerprint


def test_vectors_are_float32_of_length_one(vectors: NDArray[np.float32], texts: list[str]) -> None:
    assert vectors.shape == (len(texts), 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_a_batch_gives_what_each_text_alone_gives_in_order(
    openvino_embedder: Embedder, vectors: NDArray[np.float32], texts: list[str]
) -> None:
    alone = np.concatenate([openvino_embedder.embed([text]) for text in texts])
    assert cosines(vectors, alone).min() >= 0.999
    order = random.Random(1).sample(range(len(texts)), len(texts))
    shuffled = openvino_embedder.embed([texts[index] for index in order])
    assert cosines(shuffled, vectors[order]).min() >= 0.999


def test_the_same_call_twice_gives_the_same_numbers(openvino_embedder: Embedder, texts: list[str]) -> None:
    np.testing.assert_array_equal(openvino_embedder.embed(texts[:20]), openvino_embedder.embed(texts[:20]))


def test_earlier_results_survive_later_calls(openvino_embedder: Embedder) -> None:
    first = openvino_embedder.embed(["an invoice"])
    kept = first.copy()
    openvino_embedder.embed(["a volcano"])
    np.testing.assert_array_equal(first, kept)


def test_nothing_in_nothing_out(openvino_embedder: Embedder) -> None:
    assert openvino_embedder.embed([]).shape == (0, 384)


def test_only_the_beginning_of_a_very_long_text_counts(openvino_embedder: Embedder) -> None:
    beginning = "the quarterly report on rivers and bridges " * 200
    ends = openvino_embedder.embed([beginning + "ends well", beginning + "ends badly " * 500])
    np.testing.assert_allclose(ends[0], ends[1], atol=1e-3)


def test_threads_may_share_it(openvino_embedder: Embedder, vectors: NDArray[np.float32], texts: list[str]) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(openvino_embedder.embed, [texts[start:] for start in range(8)]))
    for start, part in enumerate(found):
        assert cosines(part, vectors[start:]).min() >= 0.999


def test_meaning_is_closer_than_wording(openvino_embedder: Embedder) -> None:
    question, paraphrase, other = openvino_embedder.embed(
        ["How do I reset my password?", "I forgot my password, how can I change it?", "How do I bake my bread?"]
    )
    assert question @ paraphrase > question @ other + 0.3


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("", True),
        ("An ordinary question, with numbers: 48213, and accents: déjà vu?", True),
        ("word " * 254, True),
        ("word " * 255, False),
        ("word " * 5000, False),
        ("Decode this: " + "QmFzZTY0" * 20, False),
        ("Is this good news? \N{PERSEVERING FACE}\N{ROLLING ON THE FLOOR LAUGHING}", False),
    ],
)
def test_it_says_which_texts_it_does_not_wholly_read(
    openvino_embedder: OpenVINOEmbedder, text: str, read: bool
) -> None:
    assert openvino_embedder.reads(text) is read
