"""Vectors of prompts from the product's own embedding model, kept so that a second run need not make them again."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aico.core.settings import Settings
from aico.embedding_service.factory import load_embedder

_BATCH = 32
Vectors = NDArray[np.float32]


def vectors_of(texts: Sequence[str], cache: Path) -> Vectors:
    """Shape (len(texts), 384). Raises EmbeddingSetupError where the model cannot run and one is missing."""
    kept = _read(cache)
    keys = [sha256(text.encode()).hexdigest() for text in texts]
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in kept}
    if missing:
        embedder, wanted = load_embedder(Settings()), list(missing.values())
        made = np.concatenate(
            [embedder.embed(wanted[start : start + _BATCH]) for start in range(0, len(wanted), _BATCH)]
        )
        kept.update(zip(missing, made, strict=True))
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.savez(cache, keys=np.array(list(kept)), vectors=np.stack(list(kept.values())))
    return np.stack([kept[key] for key in keys])


def _read(cache: Path) -> dict[str, Vectors]:
    if not cache.is_file():
        return {}
    with np.load(cache, allow_pickle=False) as held:
        return dict(zip(held["keys"].tolist(), held["vectors"], strict=True))
