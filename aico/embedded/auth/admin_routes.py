"""What the holder of the secret key may do with everybody's account."""

from http import HTTPStatus
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from aico.core.ids import new_id
from aico.embedded.auth.account_routes import EMAIL_PROVIDER, changed_account, email_taken
from aico.embedded.auth.bodies import ManagedUser, Removal, merged, read, required_strength
from aico.embedded.auth.refusals import Refusal
from aico.embedded.auth.services import Services, require_admin, services_of
from aico.embedded.auth.views import user_json
from aico.store import accounts
from aico.store.accounts import Account, Change

_PER_PAGE, _MOST_PER_PAGE, _LAST_PAGE = 50, 1000, 1_000_000


async def list_users(request: Request) -> Response:
    require_admin(request)
    services = services_of(request)
    number = _number(request, "page", 1, _LAST_PAGE)
    size = _number(request, "per_page", _PER_PAGE, _MOST_PER_PAGE)
    found = await services.rows(accounts.page(size, (number - 1) * size))
    total = await services.row(accounts.count()) or 0
    headers = {"X-Total-Count": str(total), "Link": _links(request.url.path, number, size, total)}
    return JSONResponse({"users": [user_json(one) for one in found], "aud": "authenticated"}, headers=headers)


async def create_user(request: Request) -> Response:
    require_admin(request)
    services = services_of(request)
    wanted = await read(request, ManagedUser)
    if wanted.email is None:
        raise Refusal(HTTPStatus.BAD_REQUEST, "validation_failed", "Cannot create a user without an email")
    first = Change(
        email=wanted.email,
        password_hash=await _hashed(services, wanted),
        confirmed=wanted.email_confirm,
        app_metadata=merged(EMAIL_PROVIDER, wanted.app_metadata) or EMAIL_PROVIDER,
        user_metadata=merged({}, wanted.user_metadata) or {},
        banned_until=wanted.banned_until(),
    )
    account = await services.row(accounts.create(wanted.id or new_id(), first))
    if account is None:
        raise email_taken()
    return JSONResponse(user_json(account))


async def show_user(request: Request) -> Response:
    require_admin(request)
    return JSONResponse(user_json(await _account(request)))


async def change_user(request: Request) -> Response:
    require_admin(request)
    services = services_of(request)
    account = await _account(request)
    wanted = await read(request, ManagedUser)
    change = Change(
        email=wanted.email,
        password_hash=await _hashed(services, wanted),
        confirmed=wanted.email_confirm,
        app_metadata=merged(account.app_metadata, wanted.app_metadata),
        user_metadata=merged(account.user_metadata, wanted.user_metadata),
        sets_ban=wanted.ban_duration is not None,
        banned_until=wanted.banned_until(),
    )
    return JSONResponse(user_json(await changed_account(services, account.id, change)))


async def delete_user(request: Request) -> Response:
    require_admin(request)
    await read(request, Removal)
    if await services_of(request).row(accounts.delete(_id(request))) is None:
        raise _unknown()
    return JSONResponse({})


async def _account(request: Request) -> Account:
    account = await services_of(request).row(accounts.by_id(_id(request)))
    if account is None:
        raise _unknown()
    return account


async def _hashed(services: Services, wanted: ManagedUser) -> str | None:
    if wanted.password is None:
        return None
    return await services.passwords.hash(required_strength(wanted.password.get_secret_value()))


def _unknown() -> Refusal:
    return Refusal(HTTPStatus.NOT_FOUND, "user_not_found", "User not found")


def _id(request: Request) -> UUID:
    try:
        return UUID(request.path_params["id"])
    except ValueError as error:
        raise Refusal(HTTPStatus.BAD_REQUEST, "validation_failed", "user_id must be an UUID") from error


def _number(request: Request, name: str, default: int, most: int) -> int:
    text = request.query_params.get(name, "")
    if not text:  # so both clients leave it out
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and 1 <= int(text) <= most):
        raise Refusal(HTTPStatus.BAD_REQUEST, "validation_failed", f"{name} must be a number from 1 to {most}")
    return int(text)


def _links(path: str, number: int, size: int, total: int) -> str:
    """Where the next page, if there is one, and the last page are."""
    last = max(1, -(-total // size))
    pages = ([(number + 1, "next")] if number < last else []) + [(last, "last")]
    return ", ".join(f'<{path}?page={page}&per_page={size}>; rel="{relation}"' for page, relation in pages)


ROUTES = [
    Route("/admin/users", list_users, methods=["GET"]),
    Route("/admin/users", create_user, methods=["POST"]),
    Route("/admin/users/{id}", show_user, methods=["GET"]),
    Route("/admin/users/{id}", change_user, methods=["PUT"]),
    Route("/admin/users/{id}", delete_user, methods=["DELETE"]),
]
