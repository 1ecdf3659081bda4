"""What goes over the wire about experiments: what is compared, and what it has shown."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator

from aico.api.key_schemas import Actor
from aico.api.paging import Page
from aico.core.assignment import Arm, ArmEnd, Treatment, Unit
from aico.core.experiments import MAX_ARMS, MIN_ARMS, Plan, Status
from aico.core.inputs import ModelName, Number, Text
from aico.core.jobs import CacheMode
from aico.core.strategies import StrategyName
from aico.store.experiments import Design, Experiment

Name = Annotated[Text, Field(min_length=1, max_length=200)]
Description = Annotated[Text, Field(max_length=2000, description="What it is for: the hypothesis.")]
ArmName = Annotated[Text, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
UnitField = Annotated[
    Unit,
    Field(
        description="What chance decides for: each job; all jobs of an API key; or all of a caller's user, whom"
        " `safety_identifier`, `user` or `metadata.user` names. Jobs without one are in no arm."
    ),
]

_EXAMPLE: dict[str, JsonValue] = {
    "name": "a smaller model for easy questions",
    "arms": [
        {"name": "as-it-is", "control": True},
        {"name": "flash", "weight": 1, "treatment": {"model": "gemini-2.5-flash"}},
    ],
    "plan": {"primary": "cost", "guards": [{"metric": "quality", "margin": 0.03}], "max_days": 14},
}


class TreatmentRequest(BaseModel):
    """How the jobs of an arm are answered. What is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    model: Annotated[
        ModelName | None,
        Field(
            description="Answers where it can and the caller leaves the choice (`auto`, `auto:cheap`, `auto:quality`)."
        ),
    ] = None
    strategy: Annotated[StrategyName | None, Field(description="Chooses the model where the caller leaves that.")] = (
        None
    )
    quality_floor: Annotated[
        Number | None,
        Field(ge=0, le=1, description="Least rank of a model that answers, where one of it can."),
    ] = None
    cache: Annotated[
        CacheMode | None, Field(description="In place of the tenant's policy. What a caller says wins.")
    ] = None


class ArmRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: ArmName
    weight: Annotated[
        Number, Field(gt=0, le=1000, allow_inf_nan=False, description="Its share, against the others'.")
    ] = 1.0
    control: Annotated[
        bool, Field(description="The arm that the others are held against. The first one if none is.")
    ] = False
    treatment: TreatmentRequest = TreatmentRequest()

    def arm(self, *, control: bool) -> Arm:
        return Arm(
            name=self.name,
            weight=self.weight,
            control=control,
            treatment=Treatment.model_validate(self.treatment.model_dump()),
        )


def _told_apart(arms: list[ArmRequest]) -> list[ArmRequest]:
    names = [arm.name for arm in arms]
    if len(set(names)) < len(names):
        raise ValueError("the names of arms must differ")
    if sum(arm.control for arm in arms) > 1:
        raise ValueError("one arm alone is the control")
    return arms


Arms = Annotated[list[ArmRequest], Field(min_length=MIN_ARMS, max_length=MAX_ARMS), AfterValidator(_told_apart)]


def arms_of(requests: list[ArmRequest]) -> tuple[Arm, ...]:
    control = next((one for one in requests if one.control), requests[0])
    return tuple(one.arm(control=one is control) for one in requests)


def _guards_differ(plan: Plan) -> Plan:
    metrics = [guard.metric for guard in plan.guards]
    if len(set(metrics)) < len(metrics):
        raise ValueError("a metric has one guard")
    return plan


PlanField = Annotated[Plan, AfterValidator(_guards_differ)]


class ExperimentRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EXAMPLE]})

    name: Name
    description: Description = ""
    unit: UnitField = "job"
    arms: Arms
    plan: PlanField = Plan()

    @property
    def design(self) -> Design:
        return Design(self.unit, arms_of(self.arms), self.plan)


class ExperimentChange(BaseModel):
    """What is left out stays as it is. `unit`, `arms` and `plan` change before the start alone, each as a whole."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    description: Description | None = None
    unit: UnitField | None = None
    arms: Arms | None = None
    plan: PlanField | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if any(getattr(self, name) is None for name in self.model_fields_set):
            raise ValueError("leave out what is to stay as it is; nothing can be null")
        return self

    @property
    def words(self) -> dict[str, str]:
        return {name: said for name in ("name", "description") if (said := getattr(self, name)) is not None}

    @property
    def redesigned(self) -> list[str]:
        return [name for name in ("unit", "arms", "plan") if getattr(self, name) is not None]

    @property
    def drawn(self) -> tuple[Arm, ...] | None:
        """Its arms; None: they stay."""
        return None if self.arms is None else arms_of(self.arms)


class ArmView(BaseModel):
    name: str
    weight: float
    control: bool
    treatment: Treatment
    ended: Annotated[
        ArmEnd | None,
        Field(description="By a guard. Since then its jobs are answered as in the control, and not counted."),
    ]

    @classmethod
    def of(cls, arm: Arm) -> Self:
        return cls.model_validate(arm, from_attributes=True)


class ExperimentView(BaseModel):
    id: UUID
    name: str
    description: str
    status: Status
    unit: Unit
    arms: list[ArmView]
    plan: Plan
    created_by: Actor
    created_at: datetime
    started_at: datetime | None
    stopped_at: datetime | None
    stopped_because: str | None

    @classmethod
    def of(cls, experiment: Experiment) -> Self:
        design = experiment.design
        rest: Mapping[str, object] = {
            name: getattr(experiment, name)
            for name in ("id", "name", "description", "status", "created_by", "created_at", "started_at", "stopped_at")
        }
        arms = [ArmView.of(arm) for arm in design.arms]
        return cls.model_validate(
            {
                **rest,
                "stopped_because": experiment.stopped_because,
                "unit": design.unit,
                "arms": arms,
                "plan": design.plan,
            }
        )


class ExperimentPage(Page[ExperimentView]):
    pass
