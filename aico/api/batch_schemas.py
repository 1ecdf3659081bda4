"""Batches as OpenAI's clients write and read them."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from aico.api.file_schemas import ExpiresAfter
from aico.core.inputs import Metadata, Text
from aico.core.submission import WINDOW_PATTERN
from aico.store.batches import Batch, BatchStatus
from aico.wire.ids import Prefix, public_id


class BatchRequest(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "input_file_id": "file-01a2088bad257863b70d0c1d65801cef",
                    "endpoint": "/v1/chat/completions",
                    "completion_window": "24h",
                }
            ]
        },
    )

    input_file_id: Text
    endpoint: Text
    completion_window: Annotated[
        str, Field(pattern=WINDOW_PATTERN, description="OpenAI knows `24h` alone; here also `90s`, `30m`, `1h`, `7d`.")
    ]
    metadata: Metadata | None = None
    output_expires_after: ExpiresAfter | None = None


class BatchError(BaseModel):
    code: str
    message: str
    param: str | None = None
    line: int | None = None


class BatchErrors(BaseModel):
    object: Literal["list"] = "list"
    data: list[BatchError]


class RequestCounts(BaseModel):
    total: int
    completed: int
    failed: int


class BatchUsage(BaseModel):
    """Tokens of the results that have been written."""

    input_tokens: int
    input_tokens_details: dict[str, int]
    output_tokens: int
    output_tokens_details: dict[str, int]
    total_tokens: int


class BatchView(BaseModel):
    id: str
    object: Literal["batch"] = "batch"
    endpoint: str
    errors: BatchErrors | None
    input_file_id: str
    completion_window: str
    status: BatchStatus
    output_file_id: str | None
    error_file_id: str | None
    created_at: int
    in_progress_at: int | None
    expires_at: int
    finalizing_at: int | None
    completed_at: int | None
    failed_at: int | None
    expired_at: int | None
    cancelling_at: int | None
    cancelled_at: int | None
    request_counts: RequestCounts
    usage: BatchUsage
    metadata: dict[str, str] | None

    @classmethod
    def of(cls, batch: Batch) -> "BatchView":
        written = (batch.output_file_id, batch.error_file_id) if batch.status.final else (None, None)
        output, error = (None if file is None else public_id(Prefix.FILE, file) for file in written)
        return cls(
            id=public_id(Prefix.BATCH, batch.id),
            endpoint=batch.endpoint,
            errors=BatchErrors.model_validate({"data": batch.errors}) if batch.errors else None,
            input_file_id=public_id(Prefix.FILE, batch.input_file_id),
            completion_window=batch.completion_window,
            status=batch.status,
            output_file_id=output,
            error_file_id=error,
            request_counts=RequestCounts(total=batch.total, completed=batch.completed, failed=batch.failed),
            usage=_usage(batch),
            metadata=batch.metadata or None,
            **_times(batch),
        )


class BatchPage(BaseModel):
    object: Literal["list"] = "list"
    data: list[BatchView]
    first_id: str | None
    last_id: str | None
    has_more: bool

    @classmethod
    def of(cls, found: list[Batch], limit: int) -> "BatchPage":
        """A page of at most `limit`, from one more than that where there is more."""
        views = [BatchView.of(batch) for batch in found[:limit]]
        first, last = (views[0].id, views[-1].id) if views else (None, None)
        return cls(data=views, first_id=first, last_id=last, has_more=len(found) > limit)


def _usage(batch: Batch) -> BatchUsage:
    return BatchUsage(
        input_tokens=batch.input_tokens,
        input_tokens_details={"cached_tokens": batch.cached_tokens},
        output_tokens=batch.output_tokens,
        output_tokens_details={"reasoning_tokens": batch.reasoning_tokens},
        total_tokens=batch.input_tokens + batch.output_tokens,
    )


def _times(batch: Batch) -> dict[str, Any]:
    def seconds(moment: datetime | None) -> int | None:
        return None if moment is None else int(moment.timestamp())

    ended = {
        f"{status.value}_at": seconds(batch.finished_at) if batch.status is status else None
        for status in BatchStatus
        if status.final
    }
    return {
        "created_at": seconds(batch.created_at),
        "in_progress_at": seconds(batch.in_progress_at),
        "expires_at": seconds(batch.deadline),
        "finalizing_at": seconds(batch.finalizing_at),
        "cancelling_at": seconds(batch.cancelling_at),
        **ended,
    }
