"""A draft and its check: what was asked, what was answered, and how likely it is to be not good enough."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from aico.core.chat import ChatRequest, Choice, FinishReason, Message, Role
from aico.routing.features import Features, features_of
from aico.routing.learner.design import Design, design
from aico.routing.learner.learned import Learned
from aico.routing.verifier.answer_design import answer_design
from aico.routing.verifier.learning import expected_loss
from aico.routing.verifier.verifier import USUAL_LOSS, Verification, verify


@dataclass(frozen=True)
class Drafted:
    """A prompt with the answer that a cheap model gave: what a cascade decides by."""

    request: ChatRequest
    answer: Choice
    features: Features

    def design(self) -> Design:
        """Shape (answer_design.DIMENSIONS,)."""
        seen = verify(self.request, self.answer, self.features)
        return answer_design(design(self.features), self.request.last_user_turn, self.answer, seen)


def drafted(
    prompt: str, answer: str, vector: NDArray[np.float32] | None = None, finish_reason: FinishReason = FinishReason.STOP
) -> Drafted:
    """Of bare texts, for those who have no request. `vector`: MiniLM's 384 numbers of the prompt, length 1."""
    request = ChatRequest(messages=(Message(role=Role.USER, content=prompt),))
    return Drafted(request, Choice(text=answer, finish_reason=finish_reason), features_of(prompt, vector))


@dataclass(frozen=True)
class Check:
    """A first candidate's answer is a draft: it is the answer unless more than `most_loss` is expected of it."""

    most_loss: float  # 0..1
    usual_loss: float = USUAL_LOSS  # of a draft of this model, for this prompt, on which nothing is to be seen
    verifier: Learned | None = None  # over answer_design; None: by what is to be seen on the draft alone

    def verified(self, request: ChatRequest, answer: Choice, features: Features, model: str) -> Verification:
        """Pure. Takes a few milliseconds at most: what is looked at of the texts is bounded."""
        seen = verify(request, answer, features, self.usual_loss)
        row = answer_design(design(features), request.last_user_turn, answer, seen)
        if self.verifier is None:
            return replace(seen, numbers=row)
        loss = expected_loss(self.verifier, model, row)
        return Verification(loss, (*seen.reasons, f"outcomes of drafts like it: {loss:.2f}"), seen.signs, row)

    def passes(self, verification: Verification) -> bool:
        return verification.loss <= self.most_loss
