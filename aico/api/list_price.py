"""What a model costs by its list, as every view of the catalogue shows it."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Self

from pydantic import BaseModel

from aico.core.money import CENTS_PER_DOLLAR, MILLION
from aico.core.usage import Usage
from aico.routing.models import Model
from aico.routing.prices import PriceBook

_SAMPLE = 1000  # tokens: small enough for the first step of a tiered price


class ListPrice(BaseModel):
    """US dollars per million tokens as decimal strings; null where no price is known."""

    input_dollars_per_million: Decimal | None = None
    output_dollars_per_million: Decimal | None = None

    @classmethod
    def of(cls, model: Model, prices: PriceBook) -> Self:
        """The price of now."""
        return cls(
            input_dollars_per_million=_per_million(model, prices, Usage(input_uncached=_SAMPLE)),
            output_dollars_per_million=_per_million(model, prices, Usage(output=_SAMPLE)),
        )


def _per_million(model: Model, prices: PriceBook, sample: Usage) -> Decimal | None:
    price = prices.cost_cents(model.provider, model.provider_model, sample, datetime.now(UTC))
    if price is None:
        return None
    dollars = (price.cents / CENTS_PER_DOLLAR * MILLION / _SAMPLE).normalize()
    return Decimal(f"{dollars:f}")  # normalized alone, 10 would be written 1E+1
