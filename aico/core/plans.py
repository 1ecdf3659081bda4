"""What a tenant has subscribed to, and what that grants."""

from collections.abc import Mapping
from enum import StrEnum


class Plan(StrEnum):
    FREE = "free"
    PRO = "pro"
    BUSINESS = "business"
    ENTERPRISE = "enterprise"


# Tokens of provider calls in a calendar month, UTC; None: what was agreed on.
MONTHLY_TOKENS: Mapping[Plan, int | None] = {
    Plan.FREE: 10_000,
    Plan.PRO: 1_000_000,
    Plan.BUSINESS: 10_000_000,
    Plan.ENTERPRISE: None,
}
