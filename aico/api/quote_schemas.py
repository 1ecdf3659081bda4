"""What goes over the wire about what a request would cost."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from aico.core.money import round_cents
from aico.routing.lanes import Quote


class OfferView(BaseModel):
    """Estimates in US cents as decimal strings; null where no price is known."""

    provider: str
    model: str
    estimated_cents: Decimal | None
    baseline_cents: Annotated[Decimal | None, Field(description="The same tokens at the baseline model's list price.")]


class PatientOfferView(OfferView):
    lane: Annotated[
        Literal["batch"] | None, Field(description="`batch`: in the provider's batch lane, at its discount.")
    ]
    latest: Annotated[datetime, Field(description="When the answer is there at the latest.")]
    saved_cents: Annotated[Decimal | None, Field(description="By waiting.")]


class QuoteView(BaseModel):
    """What a request is expected to cost at once, and what by its deadline."""

    now: OfferView
    by_deadline: PatientOfferView
    reason: Annotated[str, Field(description="Why the batch lane is or is not taken.")]

    @classmethod
    def of(cls, quote: Quote) -> "QuoteView":
        baseline = _rounded(quote.baseline_cents)
        return cls(
            now=OfferView(
                provider=quote.now.model.provider,
                model=quote.now.model.id,
                estimated_cents=_rounded(quote.now.cents),
                baseline_cents=baseline,
            ),
            by_deadline=PatientOfferView(
                provider=quote.by_deadline.model.provider,
                model=quote.by_deadline.model.id,
                estimated_cents=_rounded(quote.by_deadline.cents),
                baseline_cents=baseline,
                lane="batch" if quote.in_lane else None,
                latest=quote.latest,
                saved_cents=_rounded(quote.saving_cents),
            ),
            reason=quote.reason,
        )


def _rounded(cents: Decimal | None) -> Decimal | None:
    return None if cents is None else round_cents(cents)
