"""What goes over the wire about a tenant's data: how long it is kept, exports, erasures."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from aico.core.data_rights import ErasureScope
from aico.core.inputs import Text
from aico.store.data_requests import DataRequest, RequestStatus
from aico.store.retention import Retention
from aico.wire.ids import Prefix, public_id

_Days = Annotated[int, Field(ge=1, le=36_500)]


class RetentionDays(BaseModel):
    """Days. Null: as long as the service keeps it."""

    model_config = ConfigDict(extra="forbid")

    jobs: Annotated[_Days | None, Field(description="Ended jobs, with prompts and answers, and ended batches.")] = None
    cache: Annotated[_Days | None, Field(description="Answers that may be served again.")] = None
    ledger: Annotated[
        _Days | None, Field(description="What providers said beside the figures; the figures are kept.")
    ] = None
    files: _Days | None = None
    deliveries: Annotated[_Days | None, Field(description="Webhook deliveries and their log.")] = None

    def stored(self) -> Retention:
        return Retention(**self.model_dump())


class RetentionView(BaseModel):
    """What the tenant has said, and what holds."""

    days: RetentionDays
    effective: dict[str, float]  # days; a cached answer may be kept for less than one
    maximum: int  # the most that may be asked for

    @classmethod
    def of(cls, kept: Retention, defaults: dict[str, float], maximum: int) -> Self:
        days = RetentionDays.model_validate(kept, from_attributes=True)
        said = days.model_dump(exclude_none=True)
        return cls(days=days, effective={**defaults, **said}, maximum=maximum)


class ErasureRequest(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"scope": {"tag": "customer-17"}, "confirm": "acme"}]}
    )

    scope: ErasureScope
    confirm: Annotated[Text, Field(max_length=200, description="The name of the tenant whose data is erased.")]


class DataRequestView(BaseModel):
    """How it stands; Location and Retry-After say where and when to look again."""

    id: UUID
    status: RequestStatus
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    requested_by: str
    counts: Annotated[dict[str, int], Field(description="Rows by table, as far as it has come.")]
    sha256: Annotated[str | None, Field(description="Of an export's file, or of an erasure's receipt.")]
    error: str | None


class ExportView(DataRequestView):
    object: Literal["export"] = "export"
    file_id: Annotated[str | None, Field(description="`GET /v1/files/{file_id}/content` gives the zip.")]

    @classmethod
    def of(cls, request: DataRequest) -> Self:
        done = request.file_id is not None and request.status is RequestStatus.COMPLETED
        file = public_id(Prefix.FILE, request.file_id) if done and request.file_id else None
        return cls(**_shown(request), file_id=file)


class ErasureView(DataRequestView):
    object: Literal["erasure"] = "erasure"
    scope: dict[str, Any]

    @classmethod
    def of(cls, request: DataRequest) -> Self:
        return cls(**_shown(request), scope=request.scope)


def _shown(request: DataRequest) -> dict[str, Any]:
    return {name: getattr(request, name) for name in DataRequestView.model_fields}


class ExportPage(BaseModel):
    data: list[ExportView]
    next: UUID | None

    @classmethod
    def of(cls, found: Sequence[DataRequest], limit: int) -> Self:
        shown = found[:limit]
        return cls(data=[ExportView.of(one) for one in shown], next=_next(found, limit))


class ErasurePage(BaseModel):
    data: list[ErasureView]
    next: UUID | None

    @classmethod
    def of(cls, found: Sequence[DataRequest], limit: int) -> Self:
        shown = found[:limit]
        return cls(data=[ErasureView.of(one) for one in shown], next=_next(found, limit))


def _next(found: Sequence[DataRequest], limit: int) -> UUID | None:
    return found[limit - 1].id if len(found) > limit else None
