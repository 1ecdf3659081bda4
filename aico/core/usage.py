from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Tokens = Annotated[int, Field(ge=0)]


class Usage(BaseModel):
    """Billable tokens of one attempt, normalised over wire formats. The four sorts never overlap.

    `reasoning` is the part of `output` that the caller does not see. `raw` is the provider's own usage object,
    kept so that history can be priced again.
    """

    model_config = ConfigDict(frozen=True)

    input_uncached: Tokens = 0
    cache_read: Tokens = 0
    cache_write: Tokens = 0
    output: Tokens = 0
    reasoning: Tokens = 0
    tier: str = "standard"
    batch: bool = False
    raw: dict[str, Any] | None = None

    @property
    def input_total(self) -> int:
        return self.input_uncached + self.cache_read + self.cache_write

    @property
    def total(self) -> int:
        return self.input_total + self.output
