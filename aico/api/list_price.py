"""What a model costs by its list, as every view of the catalogue shows it."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Self

from pydantic import BaseModel, Field

from aico.core.money import CENTS_PER_DOLLAR, MILLION
from aico.core.usage import Usage
from aico.routing.models import Model
from aico.routing.prices import Price, PriceBook

_SAMPLE = 1000  # tokens: small enough for the first step of a tiered price


class ListPrice(BaseModel):
    """US dollars per million tokens as decimal strings, for a short call in the standard tier; null where unknown."""

    input_dollars_per_million: Decimal | None = None
    cached_input_dollars_per_million: Decimal | None = None
    output_dollars_per_million: Decimal | None = None
    price_version: Annotated[
        str | None, Field(description="Where the price is from, and since when it holds, as the ledger notes it.")
    ] = None
    priced_on: Annotated[date | None, Field(description="The day, UTC, whose price this is: today.")] = None

    @classmethod
    def of(cls, model: Model, prices: PriceBook) -> Self:
        """The price of now."""
        now = datetime.now(UTC)

        def price(sample: Usage) -> Price | None:
            return prices.cost_cents(model.provider, model.provider_model, sample, now)

        fresh = price(Usage(input_uncached=_SAMPLE))
        if fresh is None:
            return cls()
        return cls(
            input_dollars_per_million=_per_million(fresh),
            cached_input_dollars_per_million=_per_million(price(Usage(cache_read=_SAMPLE))),
            output_dollars_per_million=_per_million(price(Usage(output=_SAMPLE))),
            price_version=fresh.version,
            priced_on=now.date(),
        )


def _per_million(price: Price | None) -> Decimal | None:
    if price is None:
        return None
    dollars = (price.cents / CENTS_PER_DOLLAR * MILLION / _SAMPLE).normalize()
    return Decimal(f"{dollars:f}")  # normalized alone, 10 would be written 1E+1
