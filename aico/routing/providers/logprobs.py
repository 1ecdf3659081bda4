"""How likely a model found each token that it wrote, in OpenAI's form, which callers get."""

from pydantic import FiniteFloat

from aico.routing.providers.payload import Payload


class Candidate(Payload):
    token: str
    logprob: FiniteFloat
    bytes: tuple[int, ...] | None = None


class Token(Candidate):
    top_logprobs: tuple[Candidate, ...] = ()


class Logprobs(Payload):
    content: tuple[Token, ...] | None = None
    refusal: tuple[Token, ...] | None = None

    def followed_by(self, more: "Logprobs") -> "Logprobs":
        return Logprobs(content=_joined(self.content, more.content), refusal=_joined(self.refusal, more.refusal))


def _joined(first: tuple[Token, ...] | None, then: tuple[Token, ...] | None) -> tuple[Token, ...] | None:
    return None if first is None and then is None else (*(first or ()), *(then or ()))
