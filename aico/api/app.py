"""The application factory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from aico import __version__
from aico.api import dashboard, description, problems
from aico.api.body_limit import BodyLimit
from aico.api.cors import Cors
from aico.api.request_id import RequestId
from aico.api.request_times import RequestTimes
from aico.api.routers import (
    api_keys,
    audit_log,
    batches,
    billing,
    cache_entries,
    cache_explain,
    chat_completions,
    costs,
    data_rights,
    dead_letters,
    embeddings,
    events,
    experiments,
    feedback,
    files,
    health,
    identity,
    invitations,
    job_details,
    jobs,
    learner,
    members,
    metric_history,
    metrics,
    models,
    operator,
    outcomes,
    provider_keys,
    providers,
    quotas,
    quote,
    responses,
    savings,
    tenants,
    webhooks,
)
from aico.api.services import Services, running
from aico.api.traced import Traced
from aico.core.settings import Settings, get_settings

PARTS = (
    jobs,
    job_details,
    chat_completions,
    responses,
    embeddings,
    models,
    events,
    quote,
    files,
    batches,
    dead_letters,
    webhooks,
    feedback,
    learner,
    outcomes,
    costs,
    metric_history,
    experiments,
    savings,
    cache_entries,
    cache_explain,
    data_rights,
    billing,
    provider_keys,
    quotas,
    providers,
    api_keys,
    members,
    invitations,
    tenants,
    identity,
    audit_log,
    operator,
    health,
    metrics,
)  # in the order in which their routes are tried

DESCRIPTION = """
Every prompt is a durable job, answered from the cache or by the cheapest model that is good enough.
Send `Authorization: Bearer <API key>` with every request; health and these pages need none.
"""


def create_app(settings: Settings | None = None) -> FastAPI:
    settings = settings or get_settings()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Services]]:
        async with running(settings) as services:
            yield {"services": services}

    app = FastAPI(
        title="AI Cost Optimizer",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},
        max_body_size=None,  # BodyLimit instead: its refusals are problems like all others, and carry CORS headers
    )
    problems.install(app)
    description.install(app)
    uploads = {("POST", files.PATH): settings.max_file_bytes + files.ENVELOPE_BYTES}
    events = {("POST", billing.EVENTS_PATH): billing.MAX_EVENT_BYTES}
    app.add_middleware(BodyLimit, limit=settings.max_body_bytes, others={**uploads, **events})
    if settings.otel_exporter_otlp_endpoint is not None:
        app.add_middleware(Traced)
    app.state.request_times = RequestTimes()
    app.add_middleware(RequestId, times=app.state.request_times)
    if settings.cors_origins:  # the outermost, so that a browser may read every refusal
        app.add_middleware(Cors, origins=settings.cors_origins)
    for part in PARTS:
        app.router.routes.extend(part.router.routes)  # include_router would match each request twice

    app.router.routes.extend(dashboard.routes(settings))
    if not dashboard.built(settings):
        landing = resources.files(__package__).joinpath("landing.html").read_text()

        @app.get("/", include_in_schema=False)
        async def landing_page() -> HTMLResponse:
            return HTMLResponse(landing)

    return app
