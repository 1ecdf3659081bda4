"""What a decision rests on beside the request, and what is kept of it once a model has answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from aico.core.assignment import fraction
from aico.core.money import round_cents
from aico.store.statement import Row

_HEADER = 4  # bytes before the numbers of a halfvec as Postgres sends it
_FIGURES = 5  # significant ones that are kept of a number


@dataclass(frozen=True, slots=True)
class Grounds:
    """`chance` is the job's own: whoever decides for it again decides alike."""

    tenant: UUID
    chance: float
    vector: NDArray[np.float32] | None  # 384 numbers, length 1; None: the job was not embedded
    learned_version: int | None  # the solution that counts for the tenant; None: there is none

    @classmethod
    def of(cls, tenant: UUID, row: Row) -> "Grounds":
        """Of a row with `id`, the tenant's `draw_salt`, `vector` and `learned_version`."""
        # Not drawn under the salt itself: a job's part in the holdout must say nothing of what is tried with it.
        chance = fraction(f"{row['draw_salt']}:route", str(row["id"]))
        return cls(tenant, chance, vector_of(row["vector"]), row["learned_version"])


def vector_of(sent: bytes | None) -> NDArray[np.float32] | None:
    """Of a halfvec as its `halfvec_send` gives it."""
    return None if sent is None else np.frombuffer(sent, ">f2", offset=_HEADER).astype(np.float32)


@dataclass(frozen=True, slots=True)
class DraftSeen:
    """A draft that was checked. `features` are the design's numbers of the answer."""

    model: str
    passed: bool
    loss: float  # that was expected of it, 0..1
    design: str
    features: bytes

    def row(self) -> dict[str, Any]:
        return {
            "draft_model": self.model,
            "draft_passed": self.passed,
            "draft_loss": _short(self.loss),
            "draft_design": self.design,
            "draft_features": f"\\x{self.features.hex()}",
        }


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision for the log. `features` are the design's numbers; the vector is copied from the job's row."""

    at: datetime
    task: str
    strategy: str
    policy_version: str
    learned_version: int | None
    asked: str
    first_choice: str
    score: float
    confidence: str
    propensity: float
    chances: Mapping[str, float]
    expected: Mapping[str, float]
    cents: Mapping[str, Decimal | None]  # by model that could answer
    design: str
    features: bytes
    model: str | None = None  # that answered
    cost_cents: Decimal | None = None  # of all attempts
    draft: DraftSeen | None = None

    def row(self, job: UUID) -> dict[str, Any]:
        """For jsonb_populate_recordset of the table."""
        return {
            "job_id": str(job),
            "at": self.at.isoformat(),
            "task": self.task,
            "strategy": self.strategy,
            "policy_version": self.policy_version,
            "learned_version": self.learned_version,
            "asked": self.asked,
            "first_choice": self.first_choice,
            "model": self.model,
            "score": _short(self.score),
            "confidence": self.confidence,
            "propensity": _short(self.propensity),
            "chances": {model: _short(chance) for model, chance in self.chances.items()},
            "expected": {model: _short(quality) for model, quality in self.expected.items()},
            "cents": {model: _short(float(cents)) for model, cents in self.cents.items() if cents is not None},
            "cost_cents": None if self.cost_cents is None else str(round_cents(self.cost_cents)),
            "design": self.design,
            "features": f"\\x{self.features.hex()}",
            **({} if self.draft is None else self.draft.row()),
        }


def _short(number: float) -> float:
    return float(f"{number:.{_FIGURES}g}")
