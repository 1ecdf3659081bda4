"""What `GET /v1/savings` says, in lines for people."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from aico.cli.show import cents


def savings_lines(savings: dict[str, Any]) -> Iterator[str]:
    """Of the holdout, and of what routing itself cost."""
    own, held = savings["routing_cost"], savings["holdout"]
    if Decimal(own["total_cents"]):
        yield f"routing's own cost, in these sums: {cents(own['total_cents'])}"
    arms = f"{held['baseline']['jobs']} jobs held out, {held['routed']['jobs']} routed"
    if held["status"] != "measured":
        missing = "too few to tell" if held["status"] == "too_few" else "no share of the jobs is held out"
        yield f"holdout: {missing} ({arms})"
        return
    saved, share, quality = held["saved_cents"], held["saved_share"], held["quality_difference"]
    of_it = "" if share is None else f", {_percent(share)} of the baseline's cost"
    yield (
        f"holdout: saved [bold]{cents(saved['value'])}[/bold], {cents(saved['low'])} to {cents(saved['high'])} at"
        f" {held['confidence']:.0%} confidence{of_it} ({arms})"
    )
    if quality is not None:
        yield f"quality against the baseline: {quality['value']:+.3f} ({quality['low']:+.3f} to {quality['high']:+.3f})"


def _percent(estimate: dict[str, float]) -> str:
    return f"{estimate['value']:.0%} ({estimate['low']:.0%} to {estimate['high']:.0%})"
