"""Text that may be shown while an answer is still being made."""

from collections.abc import Callable, Sequence

_INCOMPLETE = "\ufffd"  # what a decoder shows for the first bytes of a character whose rest is in the next token


class TokenText:
    """Text of a growing sequence of tokens; a character that is spread over tokens comes when it is whole."""

    def __init__(self, decode: Callable[[list[int]], str]) -> None:
        self._decode = decode
        self._held: list[int] = []

    def push(self, tokens: Sequence[int]) -> str:
        self._held += tokens
        text = self._decode(self._held)
        if text.endswith(_INCOMPLETE):
            return ""
        self._held = []
        return text

    def flush(self) -> str:
        text = self._decode(self._held) if self._held else ""
        self._held = []
        return text


class StopFilter:
    """Passes text on up to the first stop string, and holds back what may yet become the beginning of one."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""
        self.stopped = False

    def push(self, text: str) -> str:
        if self.stopped:
            return ""
        text = self._held + text
        ends = [index for stop in self._stops if (index := text.find(stop)) >= 0]
        if ends:
            self.stopped = True
            self._held = ""
            return text[: min(ends)]
        keep = max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def flush(self) -> str:
        """What was held back, once it is known that nothing follows."""
        text, self._held = self._held, ""
        return text


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that begins `stop` without being all of it."""
    longest = min(len(text), len(stop) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(stop[:size])), 0)
