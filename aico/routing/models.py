"""What a catalogue says about one model, and what an operator may say about its price."""

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Dollars = Annotated[Decimal, Field(ge=0)]  # US dollars per million tokens


class Capability(StrEnum):
    # Without these a model cannot be asked for what needs them.
    JSON = "json"  # answers in JSON when response_format asks for it
    SCHEMA = "schema"  # answers in JSON that follows a schema
    VISION = "vision"
    TOOLS = "tools"
    CHOICES = "choices"  # several answers to one request
    LOGPROBS = "logprobs"
    # These are wishes: where one is absent the fields are left out of the call.
    SAMPLING = "sampling"  # accepts temperature and top_p
    PENALTIES = "penalties"  # accepts presence_penalty, frequency_penalty and logit_bias
    EFFORT = "effort"  # accepts reasoning_effort


class Model(BaseModel):
    """A model that can be asked for. `quality` is a coarse rank in 0..1 chosen by people, not a measurement."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(min_length=1)]  # what callers write
    provider: Annotated[str, Field(min_length=1)]
    provider_model: Annotated[str, Field(min_length=1)]  # what the provider calls it
    quality: Annotated[float, Field(ge=0, le=1)]
    context_window: Annotated[int, Field(ge=1)]  # tokens of prompt and answer together
    max_output: Annotated[int, Field(ge=1)]  # tokens
    capabilities: frozenset[Capability] = frozenset()

    def can(self, capability: Capability) -> bool:
        return capability in self.capabilities


class Rates(BaseModel):
    """What tokens cost. Where a sort of cached input has no price, it costs what the sort before it costs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: Dollars
    output: Dollars
    cache_read: Dollars | None = None  # else: as fresh input
    cache_write: Dollars | None = None  # else: as fresh input
    cache_write_1h: Dollars | None = None  # else: as other writes


class PriceStep(Rates):
    """Rates of calls whose whole input exceeds `above` tokens: for all of their tokens."""

    above: Annotated[int, Field(ge=1)]


class PriceEntry(Rates):
    """A price that wins over the public list from `from` until the day before `until`, both UTC dates."""

    provider: Annotated[str, Field(min_length=1)]
    model: Annotated[str, Field(min_length=1)]  # the provider's own model name
    from_date: Annotated[date, Field(alias="from")]
    until: date | None = None
    tier: Annotated[str, Field(min_length=1)] | None = None  # the provider's service tier; absent: every other tier
    steps: tuple[PriceStep, ...] = ()  # by the length of the prompt, ascending
    batch_factor: Annotated[Decimal, Field(gt=0, le=1)] = Decimal("0.5")  # of the price, for calls in a batch lane

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.until is not None and self.until <= self.from_date:
            raise ValueError("until must be later than from")
        starts = [step.above for step in self.steps]
        if starts != sorted(set(starts)):
            raise ValueError("steps must ascend")
        return self

    def covers(self, day: date) -> bool:
        return self.from_date <= day and (self.until is None or day < self.until)


class RateLimit(BaseModel):
    """What a provider grants to one key each minute: with one model, or with all of its models together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: Annotated[str, Field(min_length=1)]
    model: Annotated[str, Field(min_length=1)] | None = None  # its id in the catalogue; absent: all together
    requests_per_minute: Annotated[int, Field(ge=1)] | None = None
    tokens_per_minute: Annotated[int, Field(ge=1)] | None = None  # of prompts and answers together

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.requests_per_minute is None and self.tokens_per_minute is None:
            raise ValueError("a limit needs requests_per_minute, tokens_per_minute or both")
        return self
