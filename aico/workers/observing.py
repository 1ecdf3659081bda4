"""What an ending says of the models that were asked, and whether it is to be compared: decided as it is stored."""

from dataclasses import replace

from aico.core.comparing import Comparing
from aico.core.settings import Settings
from aico.core.signals import signals_of
from aico.routing.judging import comparable
from aico.store.claims import Claim, Ending


def observed(claim: Claim, task: str, ending: Ending, settings: Settings) -> Ending:
    """The ending of an answered job with both, and with the task that its prompt was taken for."""
    if ending.answer is None or ending.routing is None:
        return ending
    model = ending.routing.model
    wanted = settings.implicit_outcomes and claim.wishes.implicit_outcomes
    comparing = Comparing.of(settings, claim.wishes)
    drawn = model != comparing.judge and comparing.draws(claim.draw_salt, str(claim.id))
    return replace(
        ending,
        routing=ending.routing.model_copy(update={"task": task}),
        signals=signals_of(claim.request, model, ending.answer, ending.attempts) if wanted else (),
        compare=drawn and comparable(claim.request, ending.answer),
    )
