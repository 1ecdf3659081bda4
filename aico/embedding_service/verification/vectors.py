"""Static vectors and frequency ranks of words, from the input embeddings of the model that is there anyway."""

import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from aico.embedding_service.model_files import bundled_model_dir, read_safetensors, tokenizer_file, weights_file

_TABLE = "embeddings.word_embeddings.weight"
_FIRST_WORD = 1996  # before it are special tokens, marks and letters
_CACHED = 20_000  # words, of 1.5 kB


class WordVectors:
    """Of subwords, without context: about 20 µs for a new word, and a look-up for one seen before."""

    def __init__(self, folder: Path) -> None:
        """`folder` holds the official model files. Only the rows that are used are read from the disk."""
        self._table = read_safetensors(weights_file(folder))[_TABLE]
        self._tokenizer = Tokenizer.from_file(str(tokenizer_file(folder)))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._of = lru_cache(_CACHED)(self._compute)

    @classmethod
    def bundled(cls) -> Self | None:
        """None where the model's package is not installed."""
        folder = bundled_model_dir()
        return None if folder is None else cls(folder)

    def cosines(self, words: Sequence[str], others: Sequence[str]) -> list[list[float]]:
        """By word, its cosine with each of the others. Neither may be empty."""
        rows, columns = (np.stack([self._of(word) for word in each]) for each in (words, others))
        return (rows @ columns.T).tolist()  # type: ignore[no-any-return]

    def rarity(self, word: str) -> float:
        """0.4..1: the vocabulary is roughly in the order of frequency, and what it lacks is rare."""
        rank = self._tokenizer.token_to_id(word)
        if rank is None:
            return 1.0
        return min(1.0, max(0.4, 0.4 + 0.6 * math.log(max(rank - _FIRST_WORD, 1) / 100) / math.log(100)))

    def _compute(self, word: str) -> NDArray[np.float32]:
        ids = self._tokenizer.encode(word[:100], add_special_tokens=False).ids
        vector = np.asarray(self._table[ids].sum(axis=0), np.float32)
        return vector / max(float(np.linalg.norm(vector)), 1e-6)
