"""A tenant's own data: how long it is kept, taken out, erased."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from aico.api.auth import Principal
from aico.api.data_schemas import (
    ErasurePage,
    ErasureRequest,
    ErasureView,
    ExportPage,
    ExportView,
    RetentionDays,
    RetentionView,
)
from aico.api.keeping import retention_of
from aico.api.problems import documented
from aico.api.services import DataWriter, Held, Services
from aico.core.errors import Conflict, InvalidInput, NotFound
from aico.core.ids import new_id
from aico.core.settings import Settings
from aico.store import data_requests, retention
from aico.store.data_requests import DataRequest, RequestKind
from aico.store.scope import Scope
from aico.workers.queue import to_data

RETRY_AFTER_SECONDS = 2
_DAY_SECONDS = 24 * 3600
_PROBLEMS = documented(400, 401, 403, 422, 503)
_ASK_PROBLEMS = documented(400, 401, 403, 409, 422, 503)
_READ_PROBLEMS = documented(401, 403, 404, 422, 503)
_LIST_PROBLEMS = documented(401, 403, 422, 503)

router = APIRouter(tags=["data rights"])

After = Annotated[UUID | None, Query(description="The `next` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=100)]


@router.get("/v1/retention", responses=documented(401, 403, 503))
async def get_retention(held: Held, principal: DataWriter) -> RetentionView:
    """Read how long the tenant's data is kept."""
    return _retention(await retention_of(held, principal), held.settings)


@router.put("/v1/retention", responses=_PROBLEMS)
async def put_retention(request: RetentionDays, held: Held, principal: DataWriter) -> RetentionView:
    """Say how long each is kept; what is left out, as the service does. What is older by then goes within minutes."""
    kept, most = request.stored(), held.settings.max_retention_days
    for name, days in request.model_dump(exclude_none=True).items():
        if days > most:
            raise InvalidInput(f"{name}: at most {most} days may be asked for", param=name)
    await held.database.run(Scope.tenant(principal.tenant), retention.put(principal.tenant, kept, principal.actor))
    return _retention(kept, held.settings)


@router.post("/v1/exports", status_code=202, response_model=ExportView, responses=_ASK_PROBLEMS)
async def create_export(held: Held, principal: DataWriter) -> Response:
    """Have everything that is the tenant's written into a zip file of JSON lines, in the background."""
    asked = data_requests.create(principal.tenant, new_id(), RequestKind.EXPORT, principal.actor)
    found = await held.database.run(Scope.tenant(principal.tenant), asked)
    if not found:
        raise Conflict("an export of this tenant is being written already; wait for it to end")
    return _accepted(held, principal, found[0], ExportView.of(found[0]), "/v1/exports")


@router.get("/v1/exports", responses=_LIST_PROBLEMS)
async def list_exports(held: Held, principal: DataWriter, limit: Limit = 20, after: After = None) -> ExportPage:
    """List exports, newest first."""
    return ExportPage.of(await _page(held, principal, RequestKind.EXPORT, after, limit), limit)


@router.get("/v1/exports/{export_id}", responses=_READ_PROBLEMS)
async def get_export(export_id: UUID, held: Held, principal: DataWriter) -> ExportView:
    """Read how an export stands."""
    return ExportView.of(await _find(held, principal, RequestKind.EXPORT, export_id))


@router.post("/v1/erasures", status_code=202, response_model=ErasureView, responses=_ASK_PROBLEMS)
async def create_erasure(request: ErasureRequest, held: Held, principal: DataWriter) -> Response:
    """Erase jobs, and all that was made of them, for good. The amounts in the ledger are kept; the receipt stays."""
    scope = Scope.tenant(principal.tenant)
    (name,) = await held.database.run(scope, data_requests.tenant_name(principal.tenant))
    if request.confirm != name:
        raise InvalidInput("`confirm` is not the name of this tenant", param="confirm")
    asked = data_requests.create(
        principal.tenant, new_id(), RequestKind.ERASURE, principal.actor, request.scope.stored()
    )
    found = await held.database.run(scope, asked)
    if not found:
        raise Conflict("an erasure of this tenant is under way already; wait for it to end")
    return _accepted(held, principal, found[0], ErasureView.of(found[0]), "/v1/erasures")


@router.get("/v1/erasures", responses=_LIST_PROBLEMS)
async def list_erasures(held: Held, principal: DataWriter, limit: Limit = 20, after: After = None) -> ErasurePage:
    """List erasures and their receipts, newest first."""
    return ErasurePage.of(await _page(held, principal, RequestKind.ERASURE, after, limit), limit)


@router.get("/v1/erasures/{erasure_id}", responses=_READ_PROBLEMS)
async def get_erasure(erasure_id: UUID, held: Held, principal: DataWriter) -> ErasureView:
    """Read how an erasure stands. Once it has completed, this is the receipt."""
    return ErasureView.of(await _find(held, principal, RequestKind.ERASURE, erasure_id))


def _accepted(held: Services, principal: Principal, request: DataRequest, view: BaseModel, path: str) -> Response:
    held.submitter.ring([to_data(principal.tenant, request.id)])
    headers = {"Location": f"{path}/{request.id}", "Retry-After": str(RETRY_AFTER_SECONDS)}
    return Response(view.model_dump_json(), 202, headers, "application/json")


async def _page(
    held: Services, principal: Principal, kind: RequestKind, after: UUID | None, limit: int
) -> list[DataRequest]:
    statement = data_requests.page(principal.tenant, kind, after=after, limit=limit + 1)
    return await held.database.run(Scope.tenant(principal.tenant), statement)


async def _find(held: Services, principal: Principal, kind: RequestKind, request: UUID) -> DataRequest:
    """Raises NotFound, for another tenant's request too."""
    found = await held.database.run(Scope.tenant(principal.tenant), data_requests.get(principal.tenant, kind, request))
    if not found:
        raise NotFound(f"there is no {kind} {request}", param=f"{kind}_id")
    return found[0]


def _retention(kept: retention.Retention, settings: Settings) -> RetentionView:
    days = float(settings.job_retention_days)
    cache = settings.cache_ttl_seconds / _DAY_SECONDS
    defaults = {"jobs": days, "cache": cache, "ledger": days, "files": days, "deliveries": days}
    return RetentionView.of(kept, defaults, settings.max_retention_days)
