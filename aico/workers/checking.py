"""The check of a job's draft while it is being answered, and what is then said about it."""

from dataclasses import dataclass, replace
from typing import Self

from aico.core.chat import ChatRequest, Completion
from aico.routing.features import Features
from aico.routing.run import Dispatched
from aico.routing.strategies.protocol import Confidence, Decision
from aico.routing.verifier.drafts import Check
from aico.routing.verifier.verifier import Verification
from aico.workers.answers import Choice

_MOST_REASONS = 3  # of what is seen on a draft
_SURE = 0.5  # of what a draft may lose: with less it is accepted with high confidence


@dataclass
class Checking:
    """Of one job. Called with the draft; remembers what was seen."""

    request: ChatRequest
    features: Features
    chosen: Decision
    check: Check
    seen: Verification | None = None

    @classmethod
    def of(cls, request: ChatRequest, choice: Choice) -> Self | None:
        """None where the answer of whoever is asked first is the answer."""
        check = choice.decision.check
        return None if check is None else cls(request, choice.features, choice.decision, check)

    def __call__(self, draft: Completion) -> bool:
        drafter = self.chosen.candidates[0].id
        self.seen = self.check.verified(self.request, draft, self.features, drafter)
        return self.check.passes(self.seen)

    def decision(self, dispatched: Dispatched) -> Decision:
        """With what became of the draft."""
        if self.seen is None or dispatched.verified is None:
            return self.chosen
        loss, most = self.seen.loss, self.check.most_loss
        if dispatched.verified == "passed":
            said = f"the draft passed: a loss of {loss:.2f} is expected of it"
            confidence: Confidence = "high" if loss <= _SURE * most else "medium"
        else:
            said = f"the draft did not pass: a loss of {loss:.2f} is expected of it"
            confidence = "high" if dispatched.verified == "escalated" else "low"
        kept = ("no better model answered, so the draft is the answer",) if dispatched.verified == "kept" else ()
        reasons = (*self.chosen.reasons, said, *self.seen.reasons[:_MOST_REASONS], *kept)
        return replace(self.chosen, reasons=reasons, confidence=confidence)
