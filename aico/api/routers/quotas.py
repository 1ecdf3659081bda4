"""What a tenant may use, what is left of it, and what it was told about that."""

from typing import Annotated

from fastapi import APIRouter, Query

from aico.api.auth import Principal
from aico.api.problems import documented
from aico.api.quota_schemas import AlertPage, QuotaList, QuotaRequest, QuotaView
from aico.api.routers.jobs import After, Limit
from aico.api.services import Held, Services, SettingsWriter, UsageReader
from aico.core.errors import Conflict, NotFound
from aico.core.inputs import QuotaScope
from aico.core.quotas import Period, Quota, Source, Unit
from aico.store import alerts, quotas
from aico.store.quotas import MAX_QUOTAS, Outcome, Standing
from aico.store.scope import Scope

router = APIRouter(tags=["quotas"])

Of = Annotated[QuotaScope, Query()]


@router.get("/v1/quotas", responses=documented(401, 403, 422, 503))
async def list_quotas(held: Held, principal: UsageReader) -> QuotaList:
    """List the limits that hold, whoever set them, with what is used, reserved and left in the present window."""
    return QuotaList(data=[QuotaView.of(standing) for standing in await _standings(held, principal)])


@router.put("/v1/quotas", responses=documented(400, 401, 403, 404, 409, 413, 422, 503))
async def set_quota(request: QuotaRequest, held: Held, principal: SettingsWriter) -> QuotaView:
    """Set a quota of the tenant's own. Its window begins with what was used in it before."""
    statement = quotas.put(principal.tenant, request.quota, request.limit, Source.TENANT, principal.actor)
    (outcome,) = await held.database.run(Scope.tenant(principal.tenant), statement)
    if outcome is Outcome.NO_KEY:
        raise NotFound(f"there is no API key {request.scope.removeprefix('key:')}", param="scope")
    if outcome is Outcome.TOO_MANY:
        raise Conflict(f"there are {MAX_QUOTAS} quotas, and no more are allowed; remove one first")
    standing = await _standings(held, principal)
    return next(QuotaView.of(one) for one in standing if (one.quota, one.source) == (request.quota, Source.TENANT))


@router.delete("/v1/quotas", status_code=204, responses=documented(401, 403, 404, 422, 503))
async def remove_quota(period: Period, unit: Unit, held: Held, principal: SettingsWriter, scope: Of = "tenant") -> None:
    """Remove a quota of the tenant's own. Those of the plan and the operator stay."""
    quota = Quota(scope, period, unit)
    statement = quotas.remove(principal.tenant, quota, Source.TENANT, principal.actor)
    if await held.database.run(Scope.tenant(principal.tenant), statement) != [True]:
        raise NotFound(f"the tenant has set no quota {quota.name}", param="scope")


@router.get("/v1/alerts", responses=documented(401, 403, 422, 503))
async def list_alerts(held: Held, principal: UsageReader, limit: Limit = 20, after: After = None) -> AlertPage:
    """List what was told to webhook endpoints about quotas, spend and experiments, newest first."""
    statement = alerts.page(principal.tenant, after=after, limit=limit + 1)
    return AlertPage.of(await held.database.run(Scope.tenant(principal.tenant), statement), limit)


async def _standings(held: Services, principal: Principal) -> list[Standing]:
    return await held.database.run(Scope.tenant(principal.tenant), quotas.standings(principal.tenant))
