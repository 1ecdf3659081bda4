"""What the embed workers answer those who ask for vectors."""

import struct
from dataclasses import dataclass
from typing import Self

_HEAD = struct.Struct("<iI")


@dataclass(frozen=True, slots=True)
class Vectors:
    """Float32 vectors, little-endian, one after the other.

    `too_long` is the place of the first text that is longer than the model reads; then there are no vectors.
    """

    tokens: int = 0  # of all texts, special tokens included
    too_long: int | None = None
    data: bytes = b""

    def encoded(self) -> bytes:
        return _HEAD.pack(-1 if self.too_long is None else self.too_long, self.tokens) + self.data

    @classmethod
    def decoded(cls, data: bytes) -> Self:
        too_long, tokens = _HEAD.unpack_from(data)
        return cls(tokens, None if too_long < 0 else too_long, data[_HEAD.size :])
