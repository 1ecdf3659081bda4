"""Fields of requests that several doors take: checked alike, whoever asks."""

import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from aico.core.jobs import NO_CONTROLS, CacheMode, Controls, JobClass
from aico.core.strategies import StrategyName
from aico.core.submission import WINDOW_PATTERN

_DATED = re.compile(r"\d{4}-\d{2}-\d{2}.", re.ASCII)  # a number would be read as seconds since 1970
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain NUL characters")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("must not contain half of a surrogate pair") from error
    return text


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text


def _written_out(value: object) -> object:
    if not isinstance(value, str) or not _DATED.match(value):
        raise ValueError("must be a date and time with a time zone, such as 2026-11-01T09:00:00Z")
    return value


def _no_boolean(value: object) -> object:
    """It would be read as 0 or 1."""
    if isinstance(value, bool):
        raise ValueError("must be a number")  # noqa: TRY004 - pydantic's
    return value


def _to_a_millionth(number: float) -> float:
    return round(number, 6)  # the database's single precision has no room for 1e-60


def _day(value: object) -> object:
    """A number would be read as seconds since 1970, a date with a time as its date."""
    if isinstance(value, str) and not _DAY.fullmatch(value):
        raise ValueError("must be a date such as 2026-11-01")
    return value


Number = Annotated[float, BeforeValidator(_no_boolean), AfterValidator(_to_a_millionth)]
Count = Annotated[int, BeforeValidator(_no_boolean)]
Text = Annotated[str, AfterValidator(_storable)]
Turn = Annotated[Text, AfterValidator(_said)]
Moment = Annotated[AwareDatetime, BeforeValidator(_written_out)]
Day = Annotated[date, BeforeValidator(_day)]
ModelName = Annotated[Text, Field(min_length=1, max_length=200)]
MetadataKey = Annotated[Text, Field(min_length=1, max_length=64)]
MetadataValue = Annotated[Text, Field(max_length=512)]
Metadata = Annotated[dict[MetadataKey, MetadataValue], Field(max_length=16)]
TAG_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}"
Tag = Annotated[Text, Field(pattern=f"^{TAG_PATTERN}$")]
_UUID_PATTERN = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
QuotaScope = Annotated[
    Text,
    Field(
        pattern=f"^(tenant|key:{_UUID_PATTERN}|tag:{TAG_PATTERN})$",
        description="`tenant`, `key:` and an API key's id, or `tag:` and a tag.",
    ),
]


_CONTROLS = {
    "baseline_model",
    "quality_floor",
    "max_cost_cents",
    "max_staleness",
    "fallback",
    "strategy",
    "wait_for_similar",
}


class ControlFields(BaseModel):
    """What a caller may say about a job beside the question. What is left out follows the tenant's policy."""

    model_config = ConfigDict(extra="forbid")

    job_class: Annotated[JobClass, Field(alias="class")] = JobClass.INTERACTIVE
    cache: Annotated[
        CacheMode | None,
        Field(description="Default: the tenant's, else `semantic`; `off` when a temperature above 0 asks for variety."),
    ] = None
    max_staleness: Annotated[
        Number | None,
        Field(ge=0, le=10**9, allow_inf_nan=False, description="Seconds: no older answer is served again."),
    ] = None
    wait_for_similar: Annotated[
        bool | None,
        Field(
            description="Whether it may wait for the answer to a question that is being answered already and means the "
            "same, with cache `semantic`. Default: class `batch` may."
        ),
    ] = None
    baseline_model: Annotated[ModelName | None, Field(description="What the saving is measured against.")] = None
    quality_floor: Annotated[
        Number | None,
        Field(ge=0, le=1, description="No model of a lower rank answers; `GET /v1/models` shows ranks."),
    ] = None
    max_cost_cents: Annotated[
        Decimal | None,
        Field(
            gt=0,
            le=10**9,
            max_digits=18,
            allow_inf_nan=False,
            description="US cents: no model is called that is expected to cost more, with what was spent already.",
        ),
    ] = None
    fallback: Annotated[
        bool | None, Field(description="Whether another model may answer where the one that is named fails.")
    ] = None
    strategy: Annotated[
        StrategyName | None,
        Field(description="By which the model is chosen. Default: the tenant's, else the service's."),
    ] = None
    pii: Annotated[
        Literal["redact"] | None,
        Field(description="Replace personal data before anything is stored, as a tenant's policy may ask for anyway."),
    ] = None
    tags: Annotated[list[Tag], Field(max_length=16)] = []
    deadline: Annotated[
        Moment | None, Field(description="When the answer is of no more use. Work that can wait may cost half.")
    ] = None
    completion_window: Annotated[
        str | None,
        Field(pattern=WINDOW_PATTERN, description="The deadline as a time from now: `90s`, `30m`, `24h`, `7d`."),
    ] = None
    priority: Annotated[
        int, Field(ge=-86_400, le=86_400, description="Head start in seconds over the tenant's other waiting jobs.")
    ] = 0
    max_retries: Annotated[
        int | None, Field(ge=0, le=20, description="How often it is put back when no model answers.")
    ] = None

    @model_validator(mode="after")
    def _one_deadline(self) -> Self:
        if self.deadline is not None and self.completion_window is not None:
            raise ValueError("give either `deadline` or `completion_window`")
        return self

    def controls(self) -> Controls:
        if not self.model_fields_set & _CONTROLS:
            return NO_CONTROLS
        return Controls(
            baseline_model=self.baseline_model,
            quality_floor=self.quality_floor,
            max_cost_cents=self.max_cost_cents,
            max_staleness_seconds=self.max_staleness,
            fallback=self.fallback,
            strategy=self.strategy,
            wait_for_similar=self.wait_for_similar,
        )
