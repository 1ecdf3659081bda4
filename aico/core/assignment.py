"""Who is drawn into a comparison, and what for: by a keyed hash, so that a draw can be repeated and not be guessed.

A tenant's programme has a holdout, whose share of the jobs is answered as if this service did not choose or keep
answers, and experiments, whose arms answer differently. A job of the holdout is in no experiment.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from aico.core.jobs import CacheMode
from aico.core.strategies import StrategyName

HELD_OUT, ROUTED = "holdout/baseline", "holdout/routed"  # the holdout's two arms
MAX_HOLDOUT = 0.5  # a larger share would be the rule and no sample
_HASHED = 8  # bytes of the hash that are read as a number
_USER_DIGITS = 32
_SCALE = float(1 << 8 * _HASHED)

Unit = Literal["job", "key", "user"]  # what is drawn: each job, or all jobs of an API key or of a caller's user


class Treatment(BaseModel):
    """How the jobs of an arm are answered. What is left out stays as it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str | None = None  # answers where the caller leaves the choice
    strategy: StrategyName | None = None
    quality_floor: Annotated[float, Field(ge=0, le=1)] | None = None
    cache: CacheMode | None = None


class ArmEnd(BaseModel):
    model_config = ConfigDict(frozen=True)

    at: datetime
    because: str


class Arm(BaseModel):
    """`ended`: what is drawn into it is answered as in the control, and counted in neither.

    So the others are still compared over the same time, and no unit goes from one of them to another.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    weight: Annotated[float, Field(gt=0)] = 1.0
    treatment: Treatment = Treatment()
    control: bool = False
    ended: ArmEnd | None = None


class Experiment(BaseModel):
    """One that runs."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    salt: str
    unit: Unit = "job"
    arms: tuple[Arm, ...]

    @cached_property
    def only_chooses(self) -> bool:
        """Whether it changes nothing for a caller who names a model: who does is in no arm, and dilutes none."""
        changed = {name for arm in self.arms for name in arm.treatment.model_dump(exclude_none=True)}
        return bool(changed) and changed <= {"model", "strategy"}

    @cached_property
    def control(self) -> Arm:
        return next((arm for arm in self.arms if arm.control), self.arms[0])


class Programme(BaseModel):
    """What a tenant's jobs are drawn into."""

    model_config = ConfigDict(frozen=True)

    salt: str = ""
    holdout_share: Annotated[float, Field(ge=0, le=1)] | None = None  # None: the service's
    baseline_model: str | None = None  # likewise
    experiments: tuple[Experiment, ...] = ()

    def concerning(self, *, choice_left: bool) -> "Programme":
        """`choice_left`: the caller names no model."""
        if choice_left or not self.experiments:
            return self
        left = tuple(one for one in self.experiments if not one.only_chooses)
        return self.model_copy(update={"experiments": left})


NO_PROGRAMME = Programme(holdout_share=0)


class Assigned(BaseModel):
    """What a job was drawn into, kept with it. `arms` names each arm as the ledger's figures do."""

    model_config = ConfigDict(frozen=True)

    arms: tuple[str, ...] = ()
    treatment: Treatment = Treatment()
    user: str | None = None  # whose it is, as `user_unit` names him, where an experiment draws users
    direct: bool = False  # asked at once, and in no lane


NOT_ASSIGNED = Assigned()


def fraction(salt: str, unit: str) -> float:
    """Uniform in 0..1 over units, the same each time. HMAC-SHA256 of the unit under the salt."""
    digest = hmac.digest(salt.encode(), unit.encode(), hashlib.sha256)
    return int.from_bytes(digest[:_HASHED]) / _SCALE


def user_unit(salt: str, user: str) -> str:
    """Stands for a caller's user without naming him: HMAC-SHA256 under the tenant's salt, of 32 hexadecimal digits."""
    return hmac.digest(salt.encode(), f"user {user}".encode(), hashlib.sha256).hex()[:_USER_DIGITS]


def arm_of(experiment: Experiment, unit: str) -> Arm:
    """By weight. O(arms)."""
    mark = fraction(experiment.salt, unit) * sum(arm.weight for arm in experiment.arms)
    for arm in experiment.arms:
        mark -= arm.weight
        if mark < 0:
            return arm
    return experiment.arms[-1]


@dataclass(frozen=True, slots=True)
class Holdout:
    share: float  # of the jobs, 0..1
    baseline: str  # the model that answers what is held out


def draw(programme: Programme, units: Mapping[Unit, str], holdout: Holdout | None) -> Assigned:
    """What a job is drawn into. O(experiments x arms).

    `units` names the job and, where they are known, its API key and its caller's user. With `holdout` None the job
    cannot be held out, and is in neither of its arms.
    """
    arms: list[str] = []
    if holdout is not None:
        if fraction(programme.salt, units["job"]) < holdout.share:
            treatment = Treatment(model=holdout.baseline, cache=CacheMode.OFF)
            return Assigned(arms=(HELD_OUT,), treatment=treatment, direct=True)
        arms.append(ROUTED)
    changes: dict[str, object] = {}
    user = None
    for experiment in programme.experiments:
        if experiment.unit in units:
            arm = arm_of(experiment, units[experiment.unit])
            if arm.ended is None:
                arms.append(f"{experiment.id}/{arm.name}")
                user = units["user"] if experiment.unit == "user" else user
            changes |= (experiment.control if arm.ended else arm).treatment.model_dump(exclude_none=True)
    if not arms and not changes:
        return NOT_ASSIGNED
    return Assigned(arms=tuple(arms), treatment=Treatment.model_validate(changes), user=user)
