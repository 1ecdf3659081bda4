"""Money is Decimal US cents; list prices are Decimal US dollars per million tokens."""

from decimal import Decimal

MILLION = Decimal(1_000_000)
CENTS_PER_DOLLAR = Decimal(100)
CENT_PLACES = Decimal("0.000001")  # the ledger's numeric(20, 6)


def round_cents(cents: Decimal) -> Decimal:
    """Round to the ledger's resolution of a millionth of a cent."""
    return cents.quantize(CENT_PLACES)
