from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from aico.core.errors import AicoError


class EmbeddingSetupError(AicoError):
    """The chosen embedding backend cannot run here; the detail says what to install or which setting to change."""

    code = "embedding_setup"
    title = "Embedding model not usable"


class Embedder(Protocol):
    """Turns texts into vectors. Safe to call from several threads: calls take turns on the model."""

    @property
    def fingerprint(self) -> str:
        """Names the model variant. Vectors are comparable only within one fingerprint."""

    @property
    def dimensions(self) -> int: ...

    def reads(self, text: str) -> bool:
        """Whether the vector stands for the whole text, with nothing beyond the model's limit or vocabulary."""

    def count(self, text: str) -> int | None:
        """Tokens of the text, special tokens included; None for one longer than the model reads."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of shape (len(texts), dimensions), each of length 1, in the order of the texts.

        A text longer than the model's limit is represented by its beginning.
        """
