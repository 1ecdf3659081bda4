"""Webhook endpoints of a tenant: made, changed, tested and taken away; and the log of what was sent to them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response
from fastapi.exceptions import RequestValidationError

from aico.api.auth import Principal
from aico.api.problems import documented
from aico.api.routers.jobs import After, Limit
from aico.api.services import Held, Reader, Services, WebhookWriter
from aico.api.webhook_schemas import (
    DeliveryDetail,
    DeliveryPage,
    DeliveryView,
    NewWebhookView,
    RotatedView,
    RotateRequest,
    WebhookChange,
    WebhookList,
    WebhookRequest,
    WebhookView,
)
from aico.core.errors import Conflict, InvalidInput, NotFound
from aico.core.ids import new_id
from aico.store import webhooks
from aico.store.scope import Scope
from aico.store.webhooks import MAX_ENDPOINTS, DeliveryStatus, Endpoint, LoggedDelivery
from aico.workers.egress import parse_url
from aico.workers.queue import to_notify

PATH = "/v1/webhooks"

router = APIRouter(prefix=PATH, tags=["webhooks"])

WebhookId = Annotated[UUID, Path(description="The endpoint's id.")]

_PROBLEMS = documented(401, 403, 422, 503)
_ONE_PROBLEMS = documented(401, 403, 404, 422, 503)
_CONFLICT = documented(409)
_BAD_BODY = documented(400)


@router.post("", status_code=201, responses={**_PROBLEMS, **_BAD_BODY, **_CONFLICT})
async def add_webhook(
    request: WebhookRequest, held: Held, principal: WebhookWriter, response: Response
) -> NewWebhookView:
    """Add an endpoint. Its signing secret is in this answer and in no other."""
    _check(request.url, held)
    tenant, endpoint, secret = principal.tenant, new_id(), webhooks.make_secret()
    scope = Scope.tenant(tenant)
    add = webhooks.add(tenant, endpoint, request.url, secret, request.events, request.description)
    _, added = await held.database.run_each([(scope, webhooks.lock_tenant(tenant)), (scope, add)])
    if not added:
        raise Conflict(f"there are {MAX_ENDPOINTS} endpoints, and no more are allowed; remove one first")
    response.headers["Location"] = f"{PATH}/{endpoint}"
    view = WebhookView.of(await _find(held, principal, endpoint))
    return NewWebhookView(**view.model_dump(), secret=secret)


@router.get("", responses=_PROBLEMS)
async def list_webhooks(held: Held, principal: Reader) -> WebhookList:
    """List the endpoints, oldest first."""
    found = await held.database.run(Scope.tenant(principal.tenant), webhooks.endpoints(principal.tenant))
    return WebhookList(data=[WebhookView.of(endpoint) for endpoint in found])


@router.get("/{webhook_id}", responses=_ONE_PROBLEMS)
async def get_webhook(webhook_id: WebhookId, held: Held, principal: Reader) -> WebhookView:
    """Read an endpoint, without its secret."""
    return WebhookView.of(await _find(held, principal, webhook_id))


@router.patch("/{webhook_id}", responses={**_ONE_PROBLEMS, **_BAD_BODY})
async def change_webhook(
    webhook_id: WebhookId, request: WebhookChange, held: Held, principal: WebhookWriter
) -> WebhookView:
    """Change an endpoint. While it is disabled its deliveries wait; enabled again, it is sent those still in time."""
    if request.url is not None:
        _check(request.url, held)
    scope = Scope.tenant(principal.tenant)
    change = webhooks.change(principal.tenant, webhook_id, **request.model_dump())
    await held.database.run_each([(scope, change), (scope, webhooks.release(principal.tenant, webhook_id))])
    return WebhookView.of(await _find(held, principal, webhook_id))


@router.delete("/{webhook_id}", status_code=204, responses=_ONE_PROBLEMS)
async def remove_webhook(webhook_id: WebhookId, held: Held, principal: WebhookWriter) -> None:
    """Remove an endpoint, with its log and with what was still to be delivered to it."""
    statement = webhooks.remove(principal.tenant, webhook_id)
    if not await held.database.run(Scope.tenant(principal.tenant), statement):
        raise _no_webhook(webhook_id)


@router.post("/{webhook_id}/rotate", responses={**_ONE_PROBLEMS, **_BAD_BODY})
async def rotate_secret(
    webhook_id: WebhookId, held: Held, principal: WebhookWriter, request: RotateRequest | None = None
) -> RotatedView:
    """Make a new signing secret, shown this once. For a while the old one signs beside it, so that none is refused."""
    overlap, secret = (request or RotateRequest()).overlap_seconds, webhooks.make_secret()
    statement = webhooks.rotate(principal.tenant, webhook_id, secret, overlap)
    if not await held.database.run(Scope.tenant(principal.tenant), statement):
        raise _no_webhook(webhook_id)
    return RotatedView(id=webhook_id, secret=secret, overlap_seconds=overlap)


@router.post("/{webhook_id}/test", status_code=202, responses={**_ONE_PROBLEMS, **_CONFLICT})
async def test_webhook(webhook_id: WebhookId, held: Held, principal: WebhookWriter) -> DeliveryView:
    """Send the event `webhook.test` to an endpoint, whatever its filter says. Its delivery tells how that went."""
    made = await held.database.run(Scope.tenant(principal.tenant), webhooks.test(principal.tenant, webhook_id))
    if not made:
        await _find(held, principal, webhook_id)
        raise _is_disabled()
    return _rung(held, principal, made[0])


@router.get("/{webhook_id}/deliveries", responses=_ONE_PROBLEMS)
async def list_deliveries(
    webhook_id: WebhookId,
    held: Held,
    principal: Reader,
    limit: Limit = 20,
    after: After = None,
    status: DeliveryStatus | None = None,
) -> DeliveryPage:
    """List what was sent to an endpoint, or is about to be, newest first."""
    tenant = principal.tenant
    await _find(held, principal, webhook_id)
    statement = webhooks.deliveries(tenant, webhook_id, status=status, after=after, limit=limit + 1)
    return DeliveryPage.of(await held.database.run(Scope.tenant(tenant), statement), limit)


@router.get("/{webhook_id}/deliveries/{delivery_id}", responses=_ONE_PROBLEMS)
async def get_delivery(webhook_id: WebhookId, delivery_id: UUID, held: Held, principal: Reader) -> DeliveryDetail:
    """Read a delivery: what is sent, and how each attempt went."""
    return DeliveryDetail.of(await _find_delivery(held, principal, webhook_id, delivery_id))


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/redeliver", status_code=202, responses={**_ONE_PROBLEMS, **_CONFLICT}
)
async def redeliver(webhook_id: WebhookId, delivery_id: UUID, held: Held, principal: WebhookWriter) -> DeliveryView:
    """Send again what was delivered or has failed: under the same `webhook-id`, by a schedule that begins anew."""
    statement = webhooks.redeliver(principal.tenant, webhook_id, delivery_id)
    found = await held.database.run(Scope.tenant(principal.tenant), statement)
    if not found:
        delivery = await _find_delivery(held, principal, webhook_id, delivery_id)
        if delivery.status is DeliveryStatus.PENDING:
            raise Conflict("the delivery is still pending")
        raise _is_disabled()
    return _rung(held, principal, found[0])


def _check(url: str, held: Services) -> None:
    """Raises RequestValidationError, as the framework does."""
    try:
        parse_url(url, allow_private=held.settings.webhook_allow_private)
    except InvalidInput as error:
        raise RequestValidationError([{"type": "url", "loc": ("body", "url"), "msg": error.detail}]) from error


async def _find(held: Services, principal: Principal, webhook_id: UUID) -> Endpoint:
    """Raises NotFound, for another tenant's endpoint too."""
    statement = webhooks.endpoints(principal.tenant, webhook_id)
    found = await held.database.run(Scope.tenant(principal.tenant), statement)
    if not found:
        raise _no_webhook(webhook_id)
    return found[0]


async def _find_delivery(held: Services, principal: Principal, webhook_id: UUID, delivery_id: UUID) -> LoggedDelivery:
    statement = webhooks.deliveries(principal.tenant, webhook_id, delivery=delivery_id)
    found = await held.database.run(Scope.tenant(principal.tenant), statement)
    if not found:
        raise NotFound(f"the endpoint {webhook_id} has no delivery {delivery_id}", param="delivery_id")
    return found[0]


def _no_webhook(webhook_id: UUID) -> NotFound:
    return NotFound(f"there is no webhook endpoint {webhook_id}", param="webhook_id")


def _is_disabled() -> Conflict:
    return Conflict("the endpoint is disabled; enable it first")


def _rung(held: Services, principal: Principal, delivery: LoggedDelivery) -> DeliveryView:
    held.submitter.ring([to_notify(principal.tenant, delivery.id)])
    return DeliveryView.of(delivery)
