"""What holds for one job, of what its caller said, its tenant and its API key."""

from dataclasses import dataclass
from decimal import Decimal

from aico.core.assignment import NOT_ASSIGNED, Assigned
from aico.core.jobs import Controls
from aico.core.strategies import StrategyName
from aico.store.api_keys import models_of
from aico.store.statement import Row
from aico.store.tenants import strategy_of


@dataclass(frozen=True, slots=True)
class JobPolicy:
    """What the caller allows, and the tenant where the caller did not say."""

    baseline_model: str | None  # None: the service's
    fallback: bool  # another model may answer where the one that was named fails
    quality_floor: float | None
    max_cost_cents: Decimal | None  # of all attempts together
    models: frozenset[str] | None = None  # that the API key may use now; None: all
    strategy: StrategyName | None = None  # by which the model is chosen; None: the service's
    quality_target: float | None = None  # likewise; 0..1, of the best single model's quality
    assigned: Assigned = NOT_ASSIGNED

    @classmethod
    def of(cls, row: Row) -> "JobPolicy":
        """Of a row with `controls`, `assigned`, the API key's `models`, and of the tenant what stands below."""
        controls = Controls.model_validate(row["controls"])
        return cls(
            baseline_model=controls.baseline_model or row["baseline_model"],
            fallback=row["fallback"] if controls.fallback is None else controls.fallback,
            quality_floor=controls.quality_floor,
            max_cost_cents=controls.max_cost_cents,
            models=models_of(row),
            assigned=NOT_ASSIGNED if row["assigned"] is None else Assigned.model_validate(row["assigned"]),
            strategy=controls.strategy or strategy_of(row),
            quality_target=row["quality_target"],
        )
