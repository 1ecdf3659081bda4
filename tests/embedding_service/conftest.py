import json
import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from aico.core.embedding import BUNDLED_MODEL
from aico.core.settings import Settings
from aico.embedding_service.factory import load_embedder
from aico.embedding_service.protocol import Embedder

HERE = Path(__file__).parent


def choose(**fields: str) -> Settings:
    """The default embedding settings, whatever this machine's environment says, but for `fields`."""
    usual = {"embedding_backend": "openvino", "embedding_device": "cpu", "embedding_model_name": BUNDLED_MODEL}
    return Settings.model_validate(usual | fields)


@pytest.fixture(name="choose")
def choose_fixture() -> Callable[..., Settings]:
    return choose


@pytest.fixture(scope="session")
def texts() -> list[str]:
    """Short, long, empty, many scripts, emoji, code, data, numbers, one endless word."""
    found: list[str] = json.loads((HERE / "texts.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="session")
def reference_vectors() -> NDArray[np.float32]:
    """What sentence-transformers gives for `texts`; written by write_reference.py, checked where torch is there."""
    stored: NDArray[np.float16] = np.load(HERE / "reference.npy")
    return stored.astype(np.float32)


@pytest.fixture(scope="session")
def openvino_embedder() -> Embedder:
    return load_embedder(choose(embedding_backend="openvino"))


@pytest.fixture(scope="session")
def torch_installed() -> None:
    """Skips the test where torch is missing; fails in CI, where it must not be."""
    if find_spec("torch") is None or find_spec("sentence_transformers") is None:
        message = "torch and sentence-transformers are not installed"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
