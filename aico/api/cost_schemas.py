"""What goes over the wire about costs, providers and models."""

from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from aico.api.list_price import ListPrice
from aico.workers.provider_health import Standing


class StandingView(BaseModel):
    health: Annotated[
        Literal["off", "unknown", "untried", "healthy", "degraded", "open"],
        Field(
            description="`open`: it is not called before `retry_at`, and then by one call that finds out."
            " `degraded`: the last call failed, or a key or a model of it is open. `untried`: not called for a day."
            " `unknown`: Redis does not answer."
        ),
    ]
    retry_at: datetime | None = None
    last_success_at: datetime | None = None
    last_error_at: datetime | None = None
    last_error: Annotated[str | None, Field(description="The sort of the last failure, such as `HTTP 503`.")] = None

    @staticmethod
    def of(standing: Standing | None, *, on: bool = True) -> dict[str, Any]:
        """Fields of one; None: nobody knows."""
        if not on or standing is None:
            return {"health": "unknown" if on else "off"}
        return {**asdict(standing), "health": standing.health.value}


class KeyView(StandingView):
    number: Annotated[int, Field(description="From 1, in the order in which they are configured.")]


class ModelHealthView(StandingView):
    model: str


class LimitView(BaseModel):
    """What the provider grants to each key in a minute, as the operator has configured it."""

    model: Annotated[str | None, Field(description="Null: all of its models together.")]
    requests_per_minute: int | None
    tokens_per_minute: int | None


class ProviderView(StandingView):
    name: str
    configured: Annotated[bool, Field(description="By the operator, or by the tenant's own key.")]
    switched_on_by: Annotated[str, Field(description="The environment variable that switches it on.")]
    own_key: Annotated[bool, Field(description="The tenant has a key of its own, with which it is called.")]
    models: list[str]
    keys: Annotated[list[KeyView], Field(description="With which calls are made: the tenant's own, or the operator's.")]
    unwell_models: Annotated[list[ModelHealthView], Field(description="Those that are open or degraded.")]
    limits: list[LimitView]
    batch_lane: Annotated[bool, Field(description="Work that can wait may go into its batches.")]


class ModelView(ListPrice):
    id: str
    provider: str
    context_window: int
    max_output: int
    capabilities: list[str]
    quality: float


class ProvidersView(BaseModel):
    health_known: Annotated[bool, Field(description="False while Redis does not answer.")]
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
