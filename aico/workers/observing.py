"""What an ending says of the models that were asked, and whether it is to be compared: decided as it is stored."""

from dataclasses import replace

from aico.core.comparing import Comparing
from aico.core.settings import Settings
from aico.core.signals import Signal, escalated, signals_of
from aico.routing.judging import comparable
from aico.store.claims import Claim, Ending, Rival
from aico.workers.answers import Choice


def observed(claim: Claim, choice: Choice, ending: Ending, settings: Settings, draft: Rival | None) -> Ending:
    """The ending of an answered job with both, and with the task that its prompt was taken for.

    Where a better model's answer took the place of a draft, it is compared with that draft and nothing else: what is
    found out is to be about the answer of which the numbers are logged.
    """
    if ending.answer is None or ending.routing is None:
        return ending
    report, comparing = ending.routing, Comparing.of(settings, claim.wishes)
    replaced = report.verified == "escalated"
    partners = {report.model} if draft is None else {report.model, draft.model}
    drawn = comparing.draws(str(claim.id)) and comparing.judge not in partners and (draft is not None or not replaced)
    signals: tuple[Signal, ...] = ()
    if settings.implicit_outcomes and claim.wishes.implicit_outcomes:
        rejected = (escalated(choice.decision.candidates[0].id),) if replaced else ()
        signals = (*rejected, *signals_of(claim.request, report.model, ending.answer, ending.attempts))
    compare = drawn and comparable(claim.request, ending.answer)
    return replace(
        ending,
        routing=report.model_copy(update={"task": choice.features.task}),
        signals=signals,
        compare=compare,
        rival=draft if compare else None,
    )
