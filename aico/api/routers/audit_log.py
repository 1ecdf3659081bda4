"""Who did what to a tenant."""

from typing import Annotated

from fastapi import APIRouter, Query

from aico.api.problems import documented
from aico.api.routers.jobs import After, Limit
from aico.api.services import AuditReader, Held
from aico.api.tenant_schemas import EntryPage, EntryView
from aico.core.inputs import Text
from aico.store import audit
from aico.store.scope import Scope

router = APIRouter(tags=["audit log"])


@router.get("/v1/audit-log", responses=documented(401, 403, 422, 503))
async def list_entries(
    held: Held,
    principal: AuditReader,
    limit: Limit = 20,
    after: After = None,
    action: Annotated[Text | None, Query(max_length=100, description="Only this action: `api_key.created`.")] = None,
    actor: Annotated[Text | None, Query(max_length=100, description="Only of `key:<id>`, `user:<id>`, …")] = None,
) -> EntryPage:
    """List what was done to the tenant by those who administer it, newest first."""
    statement = audit.page(principal.tenant, action=action, actor=actor, after=after, limit=limit + 1)
    found = await held.database.run(Scope.tenant(principal.tenant), statement)
    return EntryPage.of([EntryView.of(entry) for entry in found], limit, lambda view: view.id)
