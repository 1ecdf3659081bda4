"""How many tokens a conversation will be billed, estimated before the call.

Bills are settled on what providers report. The estimate only ranks models and checks that a prompt fits.
"""

import math
import warnings
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from aico.core.chat import Message
from aico.routing.calibration import PRIOR, Line

if TYPE_CHECKING:
    from bpe_openai import Encoding

_COUNTED_CHARS = 20_000  # about a millisecond; longer text is counted at the usual four characters a token
_CHARS_PER_TOKEN = 4
_BYTES_PER_TOKEN = 4  # other scripts than Latin take more bytes a character, and more tokens
# OpenAI's published count for 1024 x 1024 pixels in high detail (85 and 170 for each of 4 tiles). Anthropic counts
# about 1,400 for it, Google 258 to 1,120; how large a picture is nobody knows before it has been fetched.
_IMAGE_TOKENS = 765


@cache
def _encoding() -> "Encoding":
    # The vocabulary takes most of a second and 140 MiB: only a process that counts tokens loads it.
    with warnings.catch_warnings():
        # Its way of opening its own data is deprecated on 3.11 and 3.12, which no operator can do anything about.
        warnings.filterwarnings("ignore", "open_binary is deprecated", DeprecationWarning)
        from bpe_openai import get_encoding  # noqa: PLC0415 - see above

    return get_encoding("o200k_base")


def count_text(text: str) -> int:
    """Tokens of one text: o200k for ordinary lengths, a quarter of the characters beyond."""
    if len(text) > _COUNTED_CHARS:
        return rough_count(text)
    return len(_encoding().encode_ordinary(text))


def rough_count(text: str) -> int:
    """A quarter of the characters. O(1)."""
    return math.ceil(len(text) / _CHARS_PER_TOKEN)


def rough_input_tokens(messages: tuple[Message, ...], declared: Iterable[str] = ()) -> int:
    """As `estimate_input_tokens`, from the bytes of the texts: without the vocabulary. Linear in their length."""
    texts = (text for message in messages for text in _texts(message))
    size = sum(len(text.encode()) for text in texts) + sum(len(text.encode()) for text in declared)
    pictures = sum(len(message.images) for message in messages)
    return math.ceil(size / _BYTES_PER_TOKEN + PRIOR.overhead) + _IMAGE_TOKENS * pictures


class Counted(NamedTuple):
    """What there is to count in a conversation and in what is declared beside it."""

    text: int  # o200k tokens; of long texts a quarter of their characters
    pictures: int
    plain: bool  # nothing but counted texts: what is billed for them tells how the model counts

    def billed(self, line: Line = PRIOR) -> int:
        """Estimated, as a model counts of which this line is known."""
        return line.tokens(self.text) + _IMAGE_TOKENS * self.pictures


def count_conversation(messages: tuple[Message, ...], declared: Iterable[str] = ()) -> Counted:
    beside = list(declared)
    texts = [text for message in messages for text in _texts(message)]
    pictures = sum(len(message.images) for message in messages)
    calls = any(message.tool_calls for message in messages)
    odd = bool(beside) or bool(pictures) or calls or any(len(text) > _COUNTED_CHARS for text in texts)
    return Counted(sum(map(count_text, texts)) + sum(map(count_text, beside)), pictures, plain=not odd)


def estimate_input_tokens(messages: tuple[Message, ...], declared: Iterable[str] = ()) -> int:
    """Billed input tokens of a conversation, with the JSON of the tools and the schema that are declared beside it."""
    return count_conversation(messages, declared).billed()


def _texts(message: Message) -> Iterator[str]:
    yield message.text
    for call in message.tool_calls:
        yield from (call.name, call.arguments)
