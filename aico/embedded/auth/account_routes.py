"""What everybody may ask for: to sign up, in and out, to stay signed in, and to see and change the own account."""

from datetime import UTC, datetime
from http import HTTPStatus
from uuid import UUID

import jwt
from psycopg.errors import UniqueViolation
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from aico.core.ids import new_id
from aico.embedded.auth.bodies import PasswordGrant, RefreshGrant, SignUp, UserChange, merged, read, required_strength
from aico.embedded.auth.refusals import Refusal
from aico.embedded.auth.services import Services, address_of, bearer_of, services_of
from aico.embedded.auth.tokens import hash_refresh_token, new_refresh_token, session_json, successor_of
from aico.embedded.auth.views import user_json
from aico.store import accounts
from aico.store.accounts import Account, Change, Session, SignOut, Verdict

EMAIL_PROVIDER = {"provider": "email", "providers": ["email"]}

_BANNED = "User is banned"


async def sign_up(request: Request) -> Response:
    services = services_of(request)
    if not services.config.signup:
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "signup_disabled", "Signups not allowed for this instance")
    wanted = await read(request, SignUp)
    if wanted.email is None or wanted.password is None:
        raise Refusal(
            HTTPStatus.UNPROCESSABLE_ENTITY, "anonymous_provider_disabled", "Signing up takes an email and a password"
        )
    password = required_strength(wanted.password.get_secret_value())
    await services.limiter.sign_up(address_of(request))
    first = Change(
        email=wanted.email,
        password_hash=await services.passwords.hash(password),
        confirmed=True,
        app_metadata=EMAIL_PROVIDER,
        user_metadata=merged({}, wanted.data) or {},
    )
    account = await services.row(accounts.create(new_id(), first))
    if account is None:
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "user_already_exists", "User already registered")
    return await _signed_in(services, account)


async def token(request: Request) -> Response:
    grant = request.query_params.get("grant_type")
    if grant == "password":
        return await _by_password(request)
    if grant == "refresh_token":
        return await _by_refresh_token(request)
    raise Refusal(HTTPStatus.BAD_REQUEST, "validation_failed", "grant_type must be password or refresh_token")


async def _by_password(request: Request) -> Response:
    services = services_of(request)
    given = await read(request, PasswordGrant)
    await services.limiter.sign_in(address_of(request), given.email)
    account = await services.row(accounts.by_email(given.email))
    stored = account.password_hash if account else None
    right = await services.passwords.matches(stored, given.password.get_secret_value())
    if account is None or not right:
        raise _wrong()
    _require_not_banned(account, HTTPStatus.BAD_REQUEST)
    if account.email_confirmed_at is None:
        raise Refusal(HTTPStatus.BAD_REQUEST, "email_not_confirmed", "Email not confirmed")
    return await _signed_in(services, account)


async def _by_refresh_token(request: Request) -> Response:
    services = services_of(request)
    given = (await read(request, RefreshGrant)).refresh_token
    await services.limiter.refresh(address_of(request))
    successor = successor_of(given, services.refresh_key)
    refreshed = await services.row(
        accounts.refresh(hash_refresh_token(given), hash_refresh_token(successor), services.config.reuse_grace_seconds)
    )
    if refreshed is None:
        raise Refusal(
            HTTPStatus.BAD_REQUEST, "refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found"
        )
    if refreshed.verdict is Verdict.REUSED:
        raise Refusal(HTTPStatus.BAD_REQUEST, "refresh_token_already_used", "Invalid Refresh Token: Already Used")
    if refreshed.verdict is Verdict.BANNED:
        raise Refusal(HTTPStatus.BAD_REQUEST, "user_banned", _BANNED)
    return JSONResponse(session_json(refreshed.session, successor, services.keys))


async def show_user(request: Request) -> Response:
    session = await _session_of(request)
    return JSONResponse(user_json(session.account))


async def change_user(request: Request) -> Response:
    services = services_of(request)
    session = await _session_of(request)
    wanted = await read(request, UserChange)
    change = Change(
        email=wanted.email,
        password_hash=await _new_password(services, session.account, wanted),
        user_metadata=merged(session.account.user_metadata, wanted.data),
        session=session.id,
    )
    changed = await changed_account(services, session.account.id, change)
    return JSONResponse(user_json(changed))


async def sign_out(request: Request) -> Response:
    services = services_of(request)
    try:
        scope = SignOut(request.query_params.get("scope", SignOut.GLOBAL))
    except ValueError as error:
        raise Refusal(
            HTTPStatus.BAD_REQUEST, "validation_failed", f"scope must be one of {', '.join(SignOut)}"
        ) from error
    session = await _session_of(request)
    await services.rows(accounts.end_sessions(session.account.id, session.id, scope))
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def changed_account(services: Services, account: UUID, change: Change) -> Account:
    """Raises Refusal where there is no such account, or where another one has the email."""
    try:
        changed = await services.row(accounts.change(account, change))
    except UniqueViolation as error:
        raise email_taken() from error
    if changed is None:
        raise Refusal(HTTPStatus.NOT_FOUND, "user_not_found", "User not found")
    return changed


def email_taken() -> Refusal:
    return Refusal(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "email_exists",
        "A user with this email address has already been registered",
    )


def _wrong() -> Refusal:
    """Whatever was wrong, and whether or not there is such an account."""
    return Refusal(HTTPStatus.BAD_REQUEST, "invalid_credentials", "Invalid login credentials")


async def _new_password(services: Services, account: Account, wanted: UserChange) -> str | None:
    """Its hash; None where the password stays."""
    if wanted.password is None:
        return None
    password = required_strength(wanted.password.get_secret_value())
    await services.limiter.password(str(account.id))
    current = wanted.current_password
    if current and not await services.passwords.matches(account.password_hash, current.get_secret_value()):
        raise _wrong()
    if await services.passwords.matches(account.password_hash, password):
        raise Refusal(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "same_password",
            "New password should be different from the old password.",
        )
    return await services.passwords.hash(password)


async def _signed_in(services: Services, account: Account) -> Response:
    refresh_token = new_refresh_token()
    session = await services.row(accounts.open_session(account.id, hash_refresh_token(refresh_token)))
    if session is None:  # the account was removed a moment ago
        raise _wrong()
    return JSONResponse(session_json(session, refresh_token, services.keys))


async def _session_of(request: Request) -> Session:
    """Of the access token that the request carries. Raises Refusal."""
    services = services_of(request)
    credential = bearer_of(request)
    if credential is None:
        raise Refusal(HTTPStatus.UNAUTHORIZED, "no_authorization", "This endpoint requires a valid Bearer token")
    try:
        claims = services.keys.verify(credential)
    except jwt.PyJWTError as error:
        raise Refusal(HTTPStatus.FORBIDDEN, "bad_jwt", "invalid JWT") from error
    session = await services.row(accounts.session(UUID(claims["sub"]), UUID(claims["session_id"])))
    if session is None:
        raise Refusal(HTTPStatus.FORBIDDEN, "session_not_found", "Session from session_id claim in JWT does not exist")
    _require_not_banned(session.account, HTTPStatus.FORBIDDEN)
    return session


def _require_not_banned(account: Account, status: HTTPStatus) -> None:
    if account.banned_until and account.banned_until > datetime.now(UTC):
        raise Refusal(status, "user_banned", _BANNED)


ROUTES = [
    Route("/signup", sign_up, methods=["POST"]),
    Route("/token", token, methods=["POST"]),
    Route("/user", show_user, methods=["GET"]),
    Route("/user", change_user, methods=["PUT"]),
    Route("/logout", sign_out, methods=["POST"]),
]
