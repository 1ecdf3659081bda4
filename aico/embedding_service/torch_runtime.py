import hashlib
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer

from aico.core.embedding import DIMENSIONS
from aico.embedding_service.model_files import DIGEST_LENGTH
from aico.embedding_service.protocol import EmbeddingSetupError
from aico.embedding_service.tokenise import CPU_LIMITS, BatchLimits, TokenBatch, Tokeniser, embed_in_batches
from aico.embedding_service.variant import bundled_fingerprint, torch_precision, variant_fingerprint

GPU_LIMITS = BatchLimits(max_padded_tokens=32_768, max_texts=256)


def missing_device(device: str) -> str | None:
    """What is wrong with `device` (cpu, cuda or cuda:N) on this machine, or None."""
    if device == "cpu":
        return None
    count = torch.cuda.device_count()
    if count == 0:
        return (
            f"EMBEDDING_DEVICE is {device} but torch {torch.__version__} sees no CUDA device; set it to cpu, or install"
            " a CUDA build of torch and check `nvidia-smi` and CUDA_VISIBLE_DEVICES"
        )
    index = int(device.partition(":")[2] or 0)
    if index >= count:
        return f"EMBEDDING_DEVICE is {device} but the CUDA devices here are cuda:0 to cuda:{count - 1}"
    return None


class TorchEmbedder:
    """A sentence-transformers model: fp32 on one CPU thread, or fp16 on one CUDA device.

    Calls from several threads take turns; scale with processes, one a device.
    """

    dimensions = DIMENSIONS

    def __init__(self, model_name: str, *, folder: Path | None, device: str) -> None:
        """Loads from `folder`, or by name (a path, the local model cache, or a download) where it is None.

        Raises EmbeddingSetupError if the device does not exist or the model is not usable.
        """
        problem = missing_device(device)
        if problem:
            raise EmbeddingSetupError(problem)
        if device == "cpu":
            torch.set_num_threads(1)  # two spinning OpenMP threads on busy cores fell to 2 texts a second
        self._model = _load(model_name, folder, device)
        max_tokens = _max_tokens(model_name, self._model)
        self._limits = CPU_LIMITS if device == "cpu" else GPU_LIMITS
        self._tokeniser = _tokeniser_of(model_name, self._model, max_tokens)
        precision = torch_precision(device)
        if folder is not None:
            self.fingerprint = bundled_fingerprint("torch", precision, folder)
        else:
            digest = _parameters_digest(self._model)
            self.fingerprint = variant_fingerprint(model_name, "torch", precision, digest, max_tokens)
        if precision == "fp16":
            self._model.half()
        self._lock = Lock()

    def reads(self, text: str) -> bool:
        return self._tokeniser.reads(text)

    def count(self, text: str) -> int | None:
        return self._tokeniser.count(text)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return embed_in_batches(texts, self._tokeniser, self._limits, self._encode)

    def _encode(self, batch: TokenBatch) -> NDArray[np.float32]:
        features = {
            "input_ids": torch.from_numpy(batch.ids).to(self._model.device),
            "attention_mask": torch.from_numpy(batch.mask).to(self._model.device),
        }
        with self._lock, torch.inference_mode():
            vectors: NDArray[np.float32] = self._model(features)["sentence_embedding"].float().cpu().numpy()
        return vectors


def _load(model_name: str, folder: Path | None, device: str) -> SentenceTransformer:
    try:
        model = SentenceTransformer(str(folder or model_name), device=device)
    except (OSError, ValueError) as error:
        raise EmbeddingSetupError(
            f"EMBEDDING_MODEL_NAME {model_name} cannot be loaded ({error}); give a sentence-transformers model's name"
            " or folder, and see that it can be downloaded or is in the local cache"
        ) from error
    width = model.get_embedding_dimension()
    if width != DIMENSIONS:
        raise EmbeddingSetupError(
            f"EMBEDDING_MODEL_NAME {model_name} gives vectors of {width} numbers, the database stores {DIMENSIONS};"
            " choose a model of that width"
        )
    return model


def _max_tokens(model_name: str, model: SentenceTransformer) -> int:
    if model.max_seq_length is None:
        raise EmbeddingSetupError(
            f"EMBEDDING_MODEL_NAME {model_name} names no max_seq_length; add it to the model's"
            " sentence_bert_config.json or choose another model"
        )
    return int(model.max_seq_length)


def _tokeniser_of(model_name: str, model: SentenceTransformer, max_tokens: int) -> Tokeniser:
    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise EmbeddingSetupError(
            f"EMBEDDING_MODEL_NAME {model_name} has no tokenizer.json; choose a model that ships one"
        )
    # A copy: truncation and padding are set on it, and the model's own stays as it was.
    copy = Tokenizer.from_str(backend.to_str())
    return Tokeniser(copy, max_tokens=max_tokens, pad_id=model.tokenizer.pad_token_id or 0)


def _parameters_digest(model: SentenceTransformer) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:DIGEST_LENGTH]
