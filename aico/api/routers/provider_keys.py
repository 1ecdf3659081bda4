"""Provider keys of the tenant's own: set, listed without the key, and deleted."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Path

from aico.api.problems import documented
from aico.api.provider_key_schemas import ProviderKeyList, ProviderKeyRequest, ProviderKeyView
from aico.api.services import Held, Services, SettingsReader, SettingsWriter
from aico.core.errors import Conflict, NotFound
from aico.core.provider_secrets import hint_of
from aico.store import provider_keys
from aico.store.provider_keys import sealed_key
from aico.store.scope import Scope
from aico.store.statement import Statement
from aico.store.webhooks import lock_tenant

PATH = "/v1/provider-keys"
NO_ENCRYPTION = "no key can be kept here: there is nothing to encrypt it with; set ENCRYPTION_KEYS or ENCRYPTION_KMS"

router = APIRouter(prefix=PATH, tags=["provider keys"])

ProviderName = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,64}$", description="As `GET /providers` names it.")]


@router.get("", responses=documented(401, 403, 422, 503))
async def list_provider_keys(held: Held, principal: SettingsReader) -> ProviderKeyList:
    """List the keys that are set, without what is secret of them."""
    found = await held.database.run(Scope.tenant(principal.tenant), provider_keys.ls(principal.tenant))
    return ProviderKeyList(data=[ProviderKeyView.of(key) for key in found])


@router.put("/{provider}", responses=documented(400, 401, 403, 404, 409, 422, 503))
async def set_provider_key(
    provider: ProviderName, request: ProviderKeyRequest, held: Held, principal: SettingsWriter
) -> ProviderKeyView:
    """Set the key with which a provider is called for this tenant, instead of the operator's or of the one before."""
    _check(provider, held)
    if held.keys is None:
        raise Conflict(NO_ENCRYPTION)
    # In a thread: a key management service is asked over the network.
    key = await asyncio.to_thread(sealed_key, held.keys, principal.tenant, provider, request.api_key)
    scope = Scope.tenant(principal.tenant)
    put = provider_keys.put(key, hint_of(request.api_key), principal.actor)
    work: list[tuple[Scope, Statement[Any]]] = [(scope, lock_tenant(principal.tenant)), (scope, put)]
    _, stored = await held.database.run_each(work)
    held.own_keys.forget(principal.tenant)
    return ProviderKeyView.of(stored[0])


@router.delete("/{provider}", status_code=204, responses=documented(401, 403, 404, 422, 503))
async def delete_provider_key(provider: ProviderName, held: Held, principal: SettingsWriter) -> None:
    """Delete the tenant's key. Its provider is called with the operator's from now on, where there is one."""
    statement = provider_keys.remove(principal.tenant, provider, principal.actor)
    removed = await held.database.run(Scope.tenant(principal.tenant), statement)
    held.own_keys.forget(principal.tenant)
    if not removed:
        raise NotFound("there is no key for this provider", param="provider")


def _check(provider: str, held: Services) -> None:
    names = [one.name for one in held.catalogue.providers if one.takes_keys]
    if provider not in names:
        raise NotFound(f"keys can be set for {', '.join(names)}, and for no other provider", param="provider")
