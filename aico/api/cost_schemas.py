"""What goes over the wire about costs, providers and models."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, Field

from aico.api.list_price import ListPrice


class ProviderView(BaseModel):
    name: str
    configured: Annotated[bool, Field(description="By the operator, or by the tenant's own key.")]
    switched_on_by: Annotated[str, Field(description="The environment variable that switches it on.")]
    own_key: Annotated[bool, Field(description="The tenant has a key of its own, with which it is called.")]
    models: list[str]


class ModelView(ListPrice):
    id: str
    provider: str
    context_window: int
    max_output: int
    capabilities: list[str]
    quality: float


class ProvidersView(BaseModel):
    providers: list[ProviderView]
    models: list[ModelView]


class CostRow(BaseModel):
    kind: str
    provider: str
    model: str
    attempts: int
    answered: int
    failed: int
    input_tokens: int
    output_tokens: int
    cost_cents: Decimal
    baseline_cost_cents: Decimal
    saved_cents: Decimal
    unpriced_attempts: int


class CostSummary(BaseModel):
    """What was spent, what the baseline model's list price would have been, and the difference."""

    since: datetime
    until: datetime
    cost_cents: Decimal
    baseline_cost_cents: Decimal
    saved_cents: Decimal
    routing_cost_cents: Annotated[
        Decimal, Field(description="Of the cost: shadow answers and their judge, the kinds `shadow` and `judge`.")
    ]
    unpriced_attempts: Annotated[int, Field(description="Attempts without a known price; not in the sums.")]
    pending_events: Annotated[int, Field(description="Finished attempts that are about to be booked.")]
    rows: list[CostRow]
