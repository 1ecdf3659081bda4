"""How numbers and answers look on a terminal."""

import sys
from decimal import Decimal
from typing import Any

from rich.console import Console

_PIPED_COLUMNS = 120  # a table in a log file needs no wrapping

out = Console(width=None if sys.stdout.isatty() else _PIPED_COLUMNS)
err = Console(stderr=True, soft_wrap=True)  # the terminal wraps: a path broken by us could not be copied


HITS = {"exact": "exact hit", "semantic": "semantic hit", "shared": "shared call"}


def cents(value: str | Decimal | None) -> str:
    """US cents as dollars, with enough digits for what one prompt costs."""
    if value is None:
        return "unknown"
    dollars = Decimal(value) / 100
    return f"${dollars:.6f}" if abs(dollars) < 1 else f"${dollars:,.2f}"


def how(job: dict[str, Any]) -> str:
    """One line on how an answer came about."""
    routing = job.get("routing")
    if not routing:
        return str(job["status"])
    source = HITS.get(routing["cache"], "called")
    saved = ""
    if routing.get("cost_cents") is not None and routing.get("baseline_cost_cents") is not None:
        difference = Decimal(routing["baseline_cost_cents"]) - Decimal(routing["cost_cents"])
        saved = f", saved {cents(difference)} against {routing['baseline_model']}"
    return f"{source}, {routing['provider']}/{routing['model']}, cost {cents(routing.get('cost_cents'))}{saved}"
