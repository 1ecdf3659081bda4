"""What pairs of answers are for: all in which comparing two models and checking the cache differ."""

from collections.abc import Mapping, Sequence
from enum import Enum
from types import MappingProxyType
from typing import Any, Protocol

from aico.core.chat import ChatRequest
from aico.routing import auditing, judging
from aico.routing.auditing import Likeness
from aico.routing.judging import Verdict
from aico.routing.models import Model
from aico.store import shadow_pairs
from aico.store.shadow_pairs import CheckKind, Ended, Gain, HeldPair, Purpose
from aico.store.statement import Statement

_SERVED = frozenset({CheckKind.HIT, CheckKind.ASKED})


class NotCompared(Exception):
    """A pair that comes to nothing. `reason` is stable, for programs."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Turn(Enum):
    """Of the judge."""

    FIRST = 1
    SECOND = 2


class Work(Protocol):
    """How a pair of one purpose is worked on."""

    @property
    def judge_answers(self) -> bool:
        """Whether the judge's own model may be the one that answers."""

    def check(self, held: HeldPair) -> None:
        """Raises NotCompared where it can come to nothing."""

    def rival(self, served: Model, models: Sequence[Model]) -> Model | None:
        """Who is to answer, of those that could."""

    def turns(self, held: HeldPair) -> Sequence[Turn]:
        """Of the judge, that are still to come once there is an answer."""

    def asks(self, judge: Model, held: HeldPair, turn: Turn) -> ChatRequest:
        """What the judge is asked; without an answer yet, with nothing in its place."""

    def hears(self, text: str, turn: Turn) -> Gain | None:
        """None: what the judge said is no verdict."""

    def finish(self, held: HeldPair) -> Statement[Ended]:
        """Once no turn is left."""

    def drop(self, held: HeldPair, reason: str) -> Statement[Any]:
        """Without a result."""


class Comparison:
    """Which of two models answered better. The judge sees each answer in each place."""

    judge_answers = False  # models prefer their own words

    def check(self, held: HeldPair) -> None:
        """It was looked at when the job was drawn."""

    def rival(self, served: Model, models: Sequence[Model]) -> Model | None:
        return judging.rival_of(served, models)

    def turns(self, held: HeldPair) -> Sequence[Turn]:
        verdicts = {Turn.FIRST: held.first_verdict, Turn.SECOND: held.second_verdict}
        return [turn for turn, verdict in verdicts.items() if verdict is None]

    def asks(self, judge: Model, held: HeldPair, turn: Turn) -> ChatRequest:
        answers = (held.given.text, held.answer or "")
        first, second = answers if turn is Turn.FIRST else reversed(answers)
        return judging.judge_request(judge, held.request, first, second)

    def hears(self, text: str, turn: Turn) -> Gain | None:
        place = judging.parse_verdict(text)
        if place is None:
            return None
        verdict = judging.seen(place, served_first=turn is Turn.FIRST)
        return Gain(first_verdict=verdict) if turn is Turn.FIRST else Gain(second_verdict=verdict)

    def finish(self, held: HeldPair) -> Statement[Ended]:
        first, second = (Verdict(said) for said in (held.first_verdict, held.second_verdict) if said is not None)
        result = judging.agreed(first, second)
        return shadow_pairs.finish(held, result.value, result.quality)

    def drop(self, held: HeldPair, reason: str) -> Statement[Any]:
        return shadow_pairs.drop(held, reason)


class Audit:
    """Whether an answer of the cache serves the question as well as one of its own.

    Of a hit the caller has the cached one, and a model answers afresh; else the caller has the fresh one, and the
    cached one is there already.
    """

    judge_answers = True  # both answers may well be of that model: none is its favourite

    def check(self, held: HeldPair) -> None:
        if held.check not in _SERVED and held.answer is None:
            raise NotCompared("entry_gone")
        if not judging.in_plain_words(held.request, held.given):
            raise NotCompared("not_in_words")

    def rival(self, served: Model, models: Sequence[Model]) -> Model | None:
        return auditing.answers_afresh(served, models)

    def turns(self, held: HeldPair) -> Sequence[Turn]:
        known = held.first_verdict is not None or self._same_words(held)
        return [] if known else [Turn.FIRST]

    def asks(self, judge: Model, held: HeldPair, turn: Turn) -> ChatRequest:
        del turn  # there is one
        answers = (held.given.text, held.answer or "")
        stored, fresh = answers if held.check in _SERVED else reversed(answers)
        return auditing.audit_request(judge, held.request, stored, fresh)

    def hears(self, text: str, turn: Turn) -> Gain | None:
        del turn
        likeness = auditing.parse_likeness(text)
        return None if likeness is None else Gain(first_verdict=likeness)

    def finish(self, held: HeldPair) -> Statement[Ended]:
        if held.first_verdict is None:
            return shadow_pairs.finish_check(held, same=True, source="same")
        return shadow_pairs.finish_check(held, same=held.first_verdict == Likeness.SAME, source="judge")

    def drop(self, held: HeldPair, reason: str) -> Statement[Any]:
        return shadow_pairs.drop_check(held, reason)

    @staticmethod
    def _same_words(held: HeldPair) -> bool:
        return held.answer is not None and auditing.same_words(held.given.text, held.answer)


WORK: Mapping[Purpose, Work] = MappingProxyType({Purpose.QUALITY: Comparison(), Purpose.CACHE: Audit()})
