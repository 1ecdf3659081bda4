"""What a tenant may have erased, and the receipt that is given for it."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from aico.core.canonical import canonical_json
from aico.core.inputs import Moment, Tag

MAX_JOBS = 1000


class ErasureScope(BaseModel):
    """Exactly one of these. `before` and the others concern jobs, with all that was made of them."""

    model_config = ConfigDict(extra="forbid")

    everything: Literal[True] | None = None
    tag: Tag | None = None
    job_ids: Annotated[list[UUID], Field(min_length=1, max_length=MAX_JOBS)] | None = None
    before: Annotated[Moment, Field(description="Jobs that were created before this time.")] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(value is not None for value in (self.everything, self.tag, self.job_ids, self.before)) != 1:
            raise ValueError("give exactly one of `everything`, `tag`, `job_ids` and `before`")
        return self

    def stored(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude_none=True)


def receipt_digest(
    tenant: UUID, request: UUID, scope: Mapping[str, Any], counts: Mapping[str, int], started: datetime, requester: str
) -> str:
    """SHA-256, in hex, over the canonical JSON of what a receipt says; times in UTC to the microsecond."""
    said = {
        "tenant_id": str(tenant),
        "id": str(request),
        "requested_by": requester,
        "scope": dict(scope),
        "started_at": started.astimezone(UTC).isoformat(timespec="microseconds"),
        "counts": dict(counts),
    }
    return hashlib.sha256(canonical_json(said)).hexdigest()
