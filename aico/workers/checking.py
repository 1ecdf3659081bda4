"""The check of a job's draft while it is being answered, and what is then said about it."""

from dataclasses import dataclass, replace
from typing import Self

from aico.core.chat import ChatRequest, Completion
from aico.routing.features import Features
from aico.routing.run import Dispatched
from aico.routing.strategies.protocol import Confidence, Decision
from aico.routing.verifier.answer_design import ANSWER_DESIGN
from aico.routing.verifier.drafts import Check
from aico.routing.verifier.kept import kept_answer
from aico.routing.verifier.verifier import Verification
from aico.store.claims import Rival
from aico.store.decisions import DraftSeen
from aico.workers.answers import Choice
from aico.workers.keeping import in_words

_MOST_REASONS = 3  # of what is seen on a draft
_SURE = 0.5  # of what a draft may lose: with less it is accepted with high confidence


@dataclass
class Checking:
    """Of one job. Called with the draft; remembers what was seen."""

    request: ChatRequest
    features: Features
    chosen: Decision
    check: Check
    draft: Completion | None = None
    seen: Verification | None = None

    @classmethod
    def of(cls, request: ChatRequest, choice: Choice) -> Self | None:
        """None where the answer of whoever is asked first is the answer."""
        check = choice.decision.check
        return None if check is None else cls(request, choice.features, choice.decision, check)

    @property
    def drafter(self) -> str:
        return self.chosen.candidates[0].id

    def __call__(self, draft: Completion) -> bool:
        self.draft = draft
        self.seen = self.check.verified(self.request, draft, self.features, self.drafter)
        return self.check.passes(self.seen)

    def told(self, choice: Choice, dispatched: Dispatched) -> Choice:
        """With what became of the draft, in words and as it is logged."""
        if self.seen is None or self.seen.numbers is None or dispatched.verified is None:
            return choice
        numbers, passed = kept_answer(self.seen.numbers), dispatched.verified == "passed"
        logged = DraftSeen(self.drafter, passed, self.seen.loss, ANSWER_DESIGN, numbers)
        return replace(choice, decision=self._decision(dispatched, self.seen), draft=logged)

    def rival(self, dispatched: Dispatched) -> Rival | None:
        """The draft, where it did not pass and can be held against the answer that took its place."""
        if dispatched.verified != "escalated" or self.draft is None or not in_words(self.draft):
            return None
        return Rival(self.drafter, self.draft.text)

    def _decision(self, dispatched: Dispatched, seen: Verification) -> Decision:
        loss, most = seen.loss, self.check.most_loss
        if dispatched.verified == "passed":
            said = f"the draft passed: a loss of {loss:.2f} is expected of it"
            confidence: Confidence = "high" if loss <= _SURE * most else "medium"
        else:
            said = f"the draft did not pass: a loss of {loss:.2f} is expected of it"
            confidence = "high" if dispatched.verified == "escalated" else "low"
        kept = ("no better model answered, so the draft is the answer",) if dispatched.verified == "kept" else ()
        noted = (said, *seen.reasons[:_MOST_REASONS], *kept)
        return replace(self.chosen.noting(noted), confidence=confidence)
