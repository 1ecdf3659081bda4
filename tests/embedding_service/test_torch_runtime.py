"""Against the reference implementation itself. Imports of torch wait until the fixture has found it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from aico.core.settings import Settings
from aico.embedding_service.factory import describe, load_embedder
from aico.embedding_service.model_files import bundled_model_dir
from aico.embedding_service.protocol import Embedder, EmbeddingSetupError

pytestmark = pytest.mark.usefixtures("torch_installed")

Choose = Callable[..., Settings]


@pytest.fixture(scope="module")
def reference(torch_installed: None, texts: list[str]) -> NDArray[np.float32]:
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - optional

    model = SentenceTransformer(str(bundled_model_dir()), device="cpu")
    return np.asarray(model.encode(texts), np.float32)


def least_cosine(left: NDArray[np.float32], right: NDArray[np.float32]) -> float:
    return float((left * right).sum(axis=1).min())


def test_the_stored_reference_is_what_the_reference_gives(
    reference: NDArray[np.float32], reference_vectors: NDArray[np.float32]
) -> None:
    np.testing.assert_allclose(reference, reference_vectors, atol=2e-4)


def test_openvino_agrees(openvino_embedder: Embedder, reference: NDArray[np.float32], texts: list[str]) -> None:
    assert least_cosine(openvino_embedder.embed(texts), reference) >= 0.999


def test_torch_agrees(choose: Choose, reference: NDArray[np.float32], texts: list[str]) -> None:
    embedder = load_embedder(choose(embedding_backend="torch"))
    assert least_cosine(embedder.embed(texts), reference) >= 0.99999
    assert embedder.embed([]).shape == (0, 384)


def test_variants_have_different_fingerprints(choose: Choose, openvino_embedder: Embedder) -> None:
    torch_settings = choose(embedding_backend="torch")
    embedder = load_embedder(torch_settings)
    assert embedder.fingerprint == describe(torch_settings).fingerprint
    assert embedder.fingerprint != openvino_embedder.fingerprint


def test_a_model_by_path_is_told_apart_by_its_parameters(choose: Choose, texts: list[str]) -> None:
    settings = choose(embedding_backend="torch", embedding_model_name=str(bundled_model_dir()))
    assert describe(settings).fingerprint is None
    first, second = load_embedder(settings), load_embedder(settings)
    assert first.fingerprint == second.fingerprint
    bundled = load_embedder(choose(embedding_backend="torch"))
    assert least_cosine(first.embed(texts[:10]), bundled.embed(texts[:10])) >= 0.99999


def test_a_model_that_is_not_there_is_refused(choose: Choose, tmp_path: Path) -> None:
    settings = choose(embedding_backend="torch", embedding_model_name=str(tmp_path / "missing"))
    with pytest.raises(EmbeddingSetupError, match="missing cannot be loaded"):
        load_embedder(settings)


def test_a_model_of_another_width_is_refused(choose: Choose, monkeypatch: pytest.MonkeyPatch) -> None:
    from aico.embedding_service import torch_runtime  # noqa: PLC0415 - optional

    monkeypatch.setattr(torch_runtime, "DIMENSIONS", 768)
    with pytest.raises(EmbeddingSetupError, match="gives vectors of 384 numbers, the database stores 768"):
        load_embedder(choose(embedding_backend="torch"))


def test_a_cuda_device_that_is_not_there_is_refused(choose: Choose) -> None:
    settings = choose(embedding_backend="torch", embedding_device="cuda:99")
    with pytest.raises(EmbeddingSetupError, match="EMBEDDING_DEVICE is cuda:99 but"):
        load_embedder(settings)
    assert describe(settings).missing is not None


def test_half_precision_on_cuda_agrees(choose: Choose, reference: NDArray[np.float32], texts: list[str]) -> None:
    settings = choose(embedding_backend="torch", embedding_device="cuda")
    setup = describe(settings)
    if setup.missing:
        pytest.skip(setup.missing)
    embedder = load_embedder(settings)
    assert "torch-fp16" in embedder.fingerprint
    assert embedder.fingerprint == setup.fingerprint
    assert least_cosine(embedder.embed(texts), reference) >= 0.999
