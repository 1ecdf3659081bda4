"""What identifies a model variant: vectors are comparable only within one fingerprint."""

from pathlib import Path

from aico.core.embedding import BUNDLED_MODEL, short_name
from aico.embedding_service.model_files import file_digest, read_shape, weights_file


def variant_fingerprint(model_name: str, runtime: str, precision: str, weights_digest: str, max_tokens: int) -> str:
    """One readable string of everything that changes a vector: model, runtime, arithmetic, weights and truncation."""
    return f"{short_name(model_name)}:{runtime}-{precision}:{weights_digest}:{max_tokens}"


def bundled_fingerprint(runtime: str, precision: str, folder: Path) -> str:
    """The bundled model's, without loading it."""
    digest = file_digest(weights_file(folder))
    return variant_fingerprint(BUNDLED_MODEL, runtime, precision, digest, read_shape(folder).max_tokens)


def torch_precision(device: str) -> str:
    return "fp32" if device == "cpu" else "fp16"
