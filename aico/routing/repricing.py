"""What a booked attempt costs by the price book of now, at the attempt's own date. A pure function of both."""

from decimal import Decimal

from aico.core.money import round_cents
from aico.core.repricing import Booked, Charge, Correction
from aico.routing.prices import PriceBook


def reprice(book: PriceBook, booked: Booked) -> Correction | None:
    """None where nothing changes.

    What the book knows no price of keeps the one that it has: a price that was known does not become unknown. The usage
    of an answer without any tokens was not reported, and has no price either.
    """
    before = booked.charge
    price = book.cost_cents(booked.provider, booked.model, booked.usage, booked.at) if booked.usage.total > 0 else None
    after = Charge(
        cents=before.cents if price is None else round_cents(price.cents),
        version=before.version if price is None else price.version,
        baseline_cents=_baseline(book, booked),
    )
    same_money = (after.cents, after.baseline_cents) == (before.cents, before.baseline_cents)
    return None if same_money else Correction(booked, after)


def _baseline(book: PriceBook, booked: Booked) -> Decimal | None:
    if booked.baseline_model is None or booked.usage.total == 0:
        return booked.charge.baseline_cents
    cents = book.baseline_cost_cents(booked.baseline_model, booked.usage, booked.at)
    return booked.charge.baseline_cents if cents is None else round_cents(cents)
