"""Batches: a file of requests is answered by a deadline, and its results are a file too."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Path, Query, Request, Response

from aico.api.auth import Principal
from aico.api.batch_schemas import BatchPage, BatchRequest, BatchView
from aico.api.idempotency import HEADER, REPLAYED_HEADER, idempotency_key
from aico.api.keeping import file_seconds
from aico.api.problems import documented_errors
from aico.api.services import Held, Reader, Services, Writer
from aico.core.errors import Conflict, InvalidInput, KeyReused, NotFound
from aico.core.ids import new_id
from aico.core.submission import window
from aico.store import batches, jobs
from aico.store.batches import Batch, BatchStatus, NewBatch
from aico.store.jobs import IdempotencyKey
from aico.store.scope import Scope
from aico.wire.batch_endpoints import ENDPOINTS
from aico.wire.ids import Prefix, row_id
from aico.workers.queue import to_batch

PATH = "/v1/batches"

router = APIRouter(prefix=PATH, tags=["OpenAI"])

BatchId = Annotated[str, Path(description="The batch's id, `batch_…`.")]
Key = Annotated[str | None, Header(alias=HEADER, description="The same key and request stand for the same batch.")]
_ERRORS = documented_errors(400, 401, 403, 503)
_ONE_ERRORS = documented_errors(401, 403, 404, 503)


@router.post("", responses={**_ERRORS, **documented_errors(422)})
async def create_batch(
    asked: BatchRequest, request: Request, response: Response, held: Held, principal: Writer, key: Key = None
) -> BatchView:
    """Have a file of requests answered. Its lines are checked by a worker: a file that is no batch fails it."""
    key_given = key and idempotency_key(request.headers, asked, held.settings.idempotency_ttl_seconds)
    expiry = asked.output_expires_after
    kept = expiry.seconds if expiry else await file_seconds(held, principal)
    batch = _new_batch(asked, held, principal, key_given or None, kept)
    created = await held.database.run(Scope.tenant(principal.tenant), batches.create(principal.tenant, batch))
    if not created:
        earlier = await _remembered(held, principal, batch)
        response.headers[REPLAYED_HEADER] = "true"
        return BatchView.of(earlier)
    held.submitter.ring([to_batch(principal.tenant, batch.id)])
    return BatchView.of(await _read(held, principal, batch.id))


@router.get("", responses=_ERRORS)
async def list_batches(
    held: Held,
    principal: Reader,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[str | None, Query(description="The `last_id` of the page before.")] = None,
) -> BatchPage:
    """List batches, newest first."""
    since = None if after is None else row_id(Prefix.BATCH, after)
    if after is not None and since is None:
        raise InvalidInput(f"{after!r} is no batch's id", param="after")
    statement = batches.page(principal.tenant, after=since, limit=limit + 1)
    return BatchPage.of(await held.database.run(Scope.tenant(principal.tenant), statement), limit)


@router.get("/{batch_id}", responses=_ONE_ERRORS)
async def get_batch(batch_id: BatchId, held: Held, principal: Reader) -> BatchView:
    """Read how a batch stands. Its counts are a few seconds old."""
    return BatchView.of(await _find(held, principal, batch_id))


@router.post("/{batch_id}/cancel", responses={**_ONE_ERRORS, **documented_errors(409)})
async def cancel_batch(batch_id: BatchId, held: Held, principal: Writer) -> BatchView:
    """End what is still open. What has been answered is kept and written; cancelling twice changes nothing."""
    tenant, found = principal.tenant, row_id(Prefix.BATCH, batch_id)
    cancelled = found and await held.database.run(Scope.tenant(tenant), batches.cancel(tenant, found))
    batch = await _find(held, principal, batch_id)
    if cancelled:
        held.submitter.ring([to_batch(tenant, batch.id)])
    elif batch.status not in {BatchStatus.CANCELLING, BatchStatus.CANCELLED}:
        raise Conflict(f"the batch is {batch.status.value} already", param="batch_id")
    return BatchView.of(batch)


def _new_batch(
    asked: BatchRequest, held: Services, principal: Principal, idempotency: IdempotencyKey | None, kept_seconds: int
) -> NewBatch:
    """Raises InvalidInput."""
    if asked.endpoint not in ENDPOINTS:
        served = ", ".join(ENDPOINTS)
        raise InvalidInput(f"batches are not served for {asked.endpoint!r}; there is {served}", param="endpoint")
    seconds = window(asked.completion_window).total_seconds()
    if seconds > held.settings.max_deadline_seconds:
        most = held.settings.max_deadline_seconds
        raise InvalidInput(f"a batch may take at most {most} s", param="completion_window")
    file = row_id(Prefix.FILE, asked.input_file_id)
    if file is None:
        raise _no_input(asked.input_file_id)
    return NewBatch(
        id=new_id(),
        api_key_id=principal.api_key,
        endpoint=asked.endpoint,
        window=asked.completion_window,
        window_seconds=seconds,
        output_ttl_seconds=kept_seconds,
        input_file=file,
        metadata=asked.metadata or {},
        idempotency=idempotency,
    )


async def _remembered(held: Services, principal: Principal, batch: NewBatch) -> Batch:
    """The batch that the caller's key stands for. Raises KeyReused, or InvalidInput where there is no such file."""
    key = batch.idempotency
    found = key and await held.database.run(Scope.tenant(principal.tenant), jobs.remembered(principal.tenant, key.key))
    if not key or not found:
        raise _no_input(f"{Prefix.FILE}{batch.input_file.hex}")
    if found[0].request_hash != key.request_hash:
        raise KeyReused(f"this {HEADER} stands for another request", param=HEADER)
    return await _read(held, principal, found[0].job)


async def _find(held: Services, principal: Principal, batch_id: str) -> Batch:
    batch = row_id(Prefix.BATCH, batch_id)
    if batch is None:
        raise _no_batch(batch_id)
    return await _read(held, principal, batch)


async def _read(held: Services, principal: Principal, batch: UUID) -> Batch:
    """Raises NotFound, for another tenant's batch too."""
    found = await held.database.run(Scope.tenant(principal.tenant), batches.get(principal.tenant, batch))
    if not found:
        raise _no_batch(f"{Prefix.BATCH}{batch.hex}")
    return found[0]


def _no_batch(batch_id: str) -> NotFound:
    return NotFound(f"there is no batch {batch_id!r}", param="batch_id")


def _no_input(file_id: str) -> InvalidInput:
    return InvalidInput(f"there is no file {file_id!r} of the purpose `batch`", param="input_file_id")
