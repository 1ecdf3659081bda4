"""What the reader of a stream has been told, and what may follow it."""


class Contradiction(Exception):
    """The answer began anew and says something else than what was sent already."""


class Spoken:
    """A worker that takes over answers from the start. As long as it repeats what was sent, nobody has to notice."""

    def __init__(self, text: str = "") -> None:
        self._sent = text

    @property
    def length(self) -> int:
        return len(self._sent)

    def add(self, start: int, text: str) -> str:
        """What of a piece is to be sent that begins after `start` characters of the answer. Raises Contradiction."""
        known = self._sent[start : start + len(text)]
        if not text.startswith(known):
            raise Contradiction
        fresh = text[len(known) :]
        self._sent += fresh
        return fresh

    def rest(self, answer: str) -> str:
        """What is still to be sent of the whole answer. Raises Contradiction."""
        if not answer.startswith(self._sent):
            raise Contradiction
        return answer[len(self._sent) :]
