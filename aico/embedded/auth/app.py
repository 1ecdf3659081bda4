"""The server: Supabase Auth's routes under /auth/v1. What else a project serves can be mounted beside them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from aico import __version__
from aico.core.errors import Unavailable
from aico.embedded.auth import account_routes, admin_routes, refusals
from aico.embedded.auth.gateway import Gateway, Keys
from aico.embedded.auth.services import Config, Services, running, services_of

PREFIX = "/auth/v1"
_ALLOWED_HEADERS = ("apikey", "Authorization", "Content-Type", "X-Client-Info", "X-Supabase-Api-Version")
_EXPOSED_HEADERS = ("X-Supabase-Api-Version", "X-Total-Count", "Link", "Retry-After")


async def health(_: Request) -> Response:
    return JSONResponse({"name": "aico auth", "version": __version__, "description": "A stand-in for Supabase Auth"})


async def published_keys(request: Request) -> Response:
    keys = services_of(request).keys.published()
    return JSONResponse({"keys": keys}, headers={"Cache-Control": "public, max-age=600"})


async def show_settings(request: Request) -> Response:
    return JSONResponse(
        {
            "external": {"email": True, "phone": False, "anonymous_users": False},
            "disable_signup": not services_of(request).config.signup,
            "mailer_autoconfirm": True,
            "phone_autoconfirm": False,
            "saml_enabled": False,
        }
    )


class Part(Protocol):
    """Something else that the same server serves."""

    @property
    def routes(self) -> Sequence[BaseRoute]: ...

    def running(self) -> AbstractAsyncContextManager[None]: ...


def create_app(config: Config, *parts: Part) -> Starlette:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Services]]:
        async with running(config) as services, AsyncExitStack() as others:
            for part in parts:
                await others.enter_async_context(part.running())
            yield {"services": services}

    keys = Keys(config.files.publishable_key, config.files.secret_key)
    behind_the_gateway = Mount(
        "",
        routes=[Route("/settings", show_settings), *account_routes.ROUTES, *admin_routes.ROUTES],
        middleware=[Middleware(Gateway, keys=keys)],
    )
    auth = [Route("/health", health), Route("/.well-known/jwks.json", published_keys), behind_the_gateway]
    return Starlette(
        routes=[Mount(PREFIX, routes=auth), *(route for part in parts for route in part.routes)],
        middleware=[_cors(config.origins)] if config.origins else [],
        exception_handlers={
            refusals.Refusal: refusals.refused,
            HTTPException: refusals.not_served,
            Unavailable: refusals.unavailable,
            Exception: refusals.unexpected,
        },
        lifespan=lifespan,
    )


def _cors(origins: tuple[str, ...]) -> Middleware:
    return Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["GET", "POST", "PUT", "DELETE"],
        allow_headers=_ALLOWED_HEADERS,
        expose_headers=_EXPOSED_HEADERS,
    )
