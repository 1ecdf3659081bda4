from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from aico.core.embedding import DIMENSIONS
from aico.core.errors import InvalidInput

# Text beyond the model's limit is thrown away, so a long prompt is first cut to this many characters: of 198,000
# characters, all took 55.7 ms to tokenise and the first 4,096 took 1.0 ms.
HEAD_CHARACTERS = 4096

UNREAD = "[UNK]"  # WordPiece's, for rare characters such as emoji and for words of over 100 characters


@dataclass(frozen=True, slots=True)
class BatchLimits:
    max_padded_tokens: int
    max_texts: int


# Measured on one core: 8 and 16 texts a batch are equally fast, larger batches leave the cache.
CPU_LIMITS = BatchLimits(max_padded_tokens=2048, max_texts=16)


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """Token ids and mask, both int64 of shape (texts, longest text); the mask is 1 on tokens and 0 on padding."""

    ids: NDArray[np.int64]
    mask: NDArray[np.int64]


class Tokeniser:
    """Text to token ids, cut at `max_tokens` (special tokens included). Padding is left to the batch."""

    def __init__(self, tokenizer: Tokenizer, *, max_tokens: int, pad_id: int = 0) -> None:
        tokenizer.enable_truncation(max_tokens)
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self._pad_id = pad_id
        self._unknown = tokenizer.token_to_id(UNREAD)  # None where a vocabulary lacks nothing

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Raises InvalidInput for a text that is not valid Unicode, with its position as `param`."""
        return [self._encode_one(text, index) for index, text in enumerate(texts)]

    def reads(self, text: str) -> bool:
        """Whether no token of the text is cut off, and none stands for something that the vocabulary lacks."""
        head = _head(text)
        if len(head) < len(text):
            return False
        encoding = self._run(head)
        return not encoding.overflowing and self._unknown not in encoding.ids

    def count(self, text: str) -> int | None:
        """Tokens of the text, special tokens included; None where some would be cut off. Cost: as `encode`."""
        encoding = self._read(text)
        return None if encoding.overflowing else len(encoding.ids)

    def pad(self, encoded: Sequence[Sequence[int]]) -> TokenBatch:
        shape = (len(encoded), max(map(len, encoded)))
        ids = np.full(shape, self._pad_id, np.int64)
        mask = np.zeros(shape, np.int64)
        for row, tokens in enumerate(encoded):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        return TokenBatch(ids, mask)

    def _encode_one(self, text: str, index: int) -> list[int]:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InvalidInput(
                f"text {index} has an unpaired surrogate at character {error.start}; send valid Unicode",
                param=f"$[{index}]",
            ) from error
        return list(self._read(text).ids)

    def _read(self, text: str) -> Encoding:
        head = _head(text)
        encoding = self._run(head)
        if len(head) < len(text) and not encoding.overflowing:  # the head was too short to fill the model's limit
            return self._run(text)
        return encoding

    def _run(self, text: str) -> Encoding:
        # One text a call: a list would be spread over a thread a core, behind the back of the one-thread pinning.
        return self._tokenizer.encode_batch_fast([text])[0]


def _head(text: str) -> str:
    """The beginning of a long text, cut before a space, where no token crosses; other text as it is."""
    if len(text) <= HEAD_CHARACTERS:
        return text
    cut = text.rfind(" ", 0, HEAD_CHARACTERS)
    return text[:cut] if cut > 0 else text


def plan_batches(lengths: Sequence[int], max_padded_tokens: int, max_batch: int) -> list[list[int]]:
    """Indices of texts grouped into batches of similar length, so that little padding is computed.

    A batch closes when one more text would take it over `max_batch` texts or its padded cost, texts times the longest
    length, over `max_padded_tokens`. A text that alone exceeds the budget is a batch of its own.
    """
    batches: list[list[int]] = []
    open_batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        texts = len(open_batch) + 1
        if open_batch and (texts > max_batch or lengths[index] * texts > max_padded_tokens):
            batches.append(open_batch)
            open_batch = []
        open_batch.append(index)
    if open_batch:
        batches.append(open_batch)
    return batches


def embed_in_batches(
    texts: Sequence[str],
    tokeniser: Tokeniser,
    limits: BatchLimits,
    encode: Callable[[TokenBatch], NDArray[np.float32]],
) -> NDArray[np.float32]:
    """Unit vectors of shape (len(texts), DIMENSIONS) in the order of the texts; `encode` gives them at any length."""
    tokens = tokeniser.encode(texts)
    vectors = np.empty((len(texts), DIMENSIONS), np.float32)
    for batch in plan_batches([len(ids) for ids in tokens], limits.max_padded_tokens, limits.max_texts):
        vectors[batch] = encode(tokeniser.pad([tokens[index] for index in batch]))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors
