"""API keys of a tenant: made, changed, given new secrets, revoked. Nobody grants what he does not have himself."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Response
from fastapi.exceptions import RequestValidationError

from aico.api.auth import Principal
from aico.api.changed import tell
from aico.api.key_schemas import KeyChange, KeyPage, KeyRequest, KeyView, NewKeyView, RotateKeyRequest
from aico.api.problems import documented
from aico.api.routers.jobs import After, Limit
from aico.api.services import Held, KeyWriter, Services
from aico.core import changes
from aico.core.access import KEY_PERMISSIONS
from aico.core.errors import Conflict, Forbidden, NotFound
from aico.core.keys import make_key, make_secret
from aico.store import api_keys, tenants
from aico.store.api_keys import MAX_LIVE, ApiKey
from aico.store.scope import Scope
from aico.store.statement import Statement

PATH = "/v1/api-keys"

router = APIRouter(prefix=PATH, tags=["keys"])

KeyId = Annotated[UUID, Path(description="The key's id.")]

_PROBLEMS = documented(401, 403, 422, 503)
_ONE_PROBLEMS = documented(401, 403, 404, 422, 503)
_CHANGE_PROBLEMS = documented(400, 401, 403, 404, 409, 422, 503)


@router.post("", status_code=201, responses={**_PROBLEMS, **documented(400, 409)})
async def make_api_key(request: KeyRequest, held: Held, principal: KeyWriter, response: Response) -> NewKeyView:
    """Make a key. Its secret is in this answer and in no other."""
    _grants(principal, frozenset(request.scopes) or KEY_PERMISSIONS, request.models)
    _check_models(held, request.models)
    tenant, made = principal.tenant, make_key(request.name, request.expires_at)
    create = api_keys.create(tenant, made, request.scopes, request.models, principal.actor)
    scope = Scope.tenant(tenant)
    work: list[tuple[Scope, Statement[Any]]] = [
        (scope, tenants.lock(tenant)),
        (scope, create),
        (scope, api_keys.get(tenant, made.id)),
    ]
    _, _, found = await held.database.run_each(work)
    if not found:
        raise Conflict(f"there are {MAX_LIVE} live keys, and no more are allowed; revoke one first")
    response.headers["Location"] = f"{PATH}/{made.id}"
    return NewKeyView.with_secret(found[0], made.secret)


@router.get("", responses=_PROBLEMS)
async def list_api_keys(held: Held, principal: KeyWriter, limit: Limit = 20, after: After = None) -> KeyPage:
    """List the keys, newest first, also those that were revoked or have expired."""
    statement = api_keys.page(principal.tenant, after=after, limit=limit + 1)
    found = await held.database.run(Scope.tenant(principal.tenant), statement)
    return KeyPage.of([KeyView.of(key) for key in found], limit, lambda view: view.id)


@router.get("/{key_id}", responses=_ONE_PROBLEMS)
async def get_api_key(key_id: KeyId, held: Held, principal: KeyWriter) -> KeyView:
    """Read a key, without its secret."""
    return KeyView.of(await _find(held, principal, key_id))


@router.patch("/{key_id}", responses=_CHANGE_PROBLEMS)
async def change_api_key(key_id: KeyId, request: KeyChange, held: Held, principal: KeyWriter) -> KeyView:
    """Change a key's name, expiry or models. It goes on under the same secret."""
    wanted = request.model_dump(mode="json", exclude_unset=True)
    key = await _find(held, principal, key_id)
    if "models" in wanted:
        _grants(principal, frozenset(), request.models)
        _check_models(held, request.models)
    if "expires_at" in wanted:  # it might open again
        _grants(principal, key.scopes or KEY_PERMISSIONS, key.models)
    if wanted:
        change = api_keys.change(principal.tenant, key_id, principal.actor, wanted)
        await _changed(held, principal, key_id, change)
    return KeyView.of(await _find(held, principal, key_id))


@router.post("/{key_id}/rotate", responses=_CHANGE_PROBLEMS)
async def rotate_api_key(
    key_id: KeyId, held: Held, principal: KeyWriter, request: RotateKeyRequest | None = None
) -> NewKeyView:
    """Give a key a new secret, shown this once. The old one works for a while; one that is older ends at once."""
    key = await _find(held, principal, key_id)
    _grants(principal, key.scopes or KEY_PERMISSIONS, key.models)
    secret, overlap = make_secret(), (request or RotateKeyRequest()).overlap_seconds
    await _changed(
        held, principal, key_id, api_keys.rotate(principal.tenant, key_id, secret, overlap, by=principal.actor)
    )
    return NewKeyView.with_secret(await _find(held, principal, key_id), secret.text)


@router.delete("/{key_id}", status_code=204, responses=_ONE_PROBLEMS)
async def revoke_api_key(key_id: KeyId, held: Held, principal: KeyWriter) -> None:
    """Revoke a key, at once and for good. To revoke it again changes nothing."""
    revoke = api_keys.revoke(principal.tenant, key_id, by=principal.actor)
    if await held.database.run(Scope.tenant(principal.tenant), revoke):
        await tell(held, changes.of_key(key_id))
    else:
        await _find(held, principal, key_id)


def _grants(principal: Principal, scopes: frozenset[Any], models: Sequence[str] | frozenset[str] | None) -> None:
    """Raises Forbidden where a key could do more than whoever asks."""
    missing = sorted(scopes - principal.permissions)
    if missing:
        raise Forbidden(f"you cannot grant what you may not do yourself: {', '.join(missing)}", param="scopes")
    if principal.models is not None and (models is None or not principal.models.issuperset(models)):
        raise Forbidden(
            f"this API key may use {', '.join(sorted(principal.models))}, and can grant no other models", param="models"
        )


def _check_models(held: Services, models: Sequence[str] | None) -> None:
    """Raises RequestValidationError, as the framework does."""
    for index, model in enumerate(models or ()):
        if model not in held.catalogue.known:
            fault = {"type": "model", "loc": ("body", "models", index), "msg": f"the model {model!r} does not exist"}
            raise RequestValidationError([fault])


async def _changed(held: Services, principal: Principal, key_id: UUID, statement: Statement[UUID]) -> None:
    """Raises Conflict for a key that is over. Comes after `_find`."""
    if not await held.database.run(Scope.tenant(principal.tenant), statement):
        raise Conflict("the key was revoked or has expired; make another one")
    await tell(held, changes.of_key(key_id))


async def _find(held: Services, principal: Principal, key_id: UUID) -> ApiKey:
    """Raises NotFound, for another tenant's key too."""
    found = await held.database.run(Scope.tenant(principal.tenant), api_keys.get(principal.tenant, key_id))
    if not found:
        raise NotFound(f"there is no API key {key_id}", param="key_id")
    return found[0]
