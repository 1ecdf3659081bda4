import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

MOST_TOKENS = 100_000_000  # that a provider is believed to have counted; sums of a few fit the ledger's integers
Tokens = Annotated[int, Field(ge=0, le=MOST_TOKENS)]
_Sum = Annotated[int, Field(ge=0)]


class Usage(BaseModel):
    """Billable tokens of one attempt, normalised over wire formats. The four sorts never overlap.

    `cache_write_1h` is the part of `cache_write` that is kept for an hour and not for minutes, `reasoning` the part of
    `output` that the caller does not see. `raw` is the provider's own usage object, kept beside what was read from it.
    """

    model_config = ConfigDict(frozen=True)

    input_uncached: _Sum = 0
    cache_read: _Sum = 0
    cache_write: _Sum = 0
    cache_write_1h: _Sum = 0
    output: _Sum = 0
    reasoning: _Sum = 0
    tier: str = "standard"
    batch: bool = False
    raw: dict[str, Any] | None = None

    @field_validator("raw")
    @classmethod
    def _storable(cls, raw: dict[str, Any] | None) -> dict[str, Any] | None:
        """What providers write and JSON has no word for, such as NaN, becomes text."""
        try:
            json.dumps(raw, allow_nan=False)
        except ValueError:
            stored: dict[str, Any] = json.loads(json.dumps(raw), parse_constant=str)
            return stored
        return raw

    @property
    def input_total(self) -> int:
        return self.input_uncached + self.cache_read + self.cache_write

    @property
    def total(self) -> int:
        return self.input_total + self.output
