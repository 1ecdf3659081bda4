"""What an ending says of the models that were asked, and whether it is to be compared: decided as it is stored."""

from dataclasses import replace

from aico.core.comparing import Comparing
from aico.core.settings import Settings
from aico.core.signals import Signal, escalated, signals_of
from aico.routing.judging import comparable
from aico.store.claims import Claim, Ending
from aico.workers.answers import Choice


def observed(claim: Claim, choice: Choice, ending: Ending, settings: Settings) -> Ending:
    """The ending of an answered job with both, and with the task that its prompt was taken for."""
    if ending.answer is None or ending.routing is None:
        return ending
    report, comparing = ending.routing, Comparing.of(settings, claim.wishes)
    drawn = report.model != comparing.judge and comparing.draws(str(claim.id))
    signals: tuple[Signal, ...] = ()
    if settings.implicit_outcomes and claim.wishes.implicit_outcomes:
        drafter = choice.decision.candidates[0].id
        rejected = (escalated(drafter),) if report.verified == "escalated" else ()
        signals = (*rejected, *signals_of(claim.request, report.model, ending.answer, ending.attempts))
    return replace(
        ending,
        routing=report.model_copy(update={"task": choice.features.task}),
        signals=signals,
        compare=drawn and comparable(claim.request, ending.answer),
    )
