"""What a browser may send to the API, and what a page there may read of its answers."""

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from aico.api.idempotency import HEADER as IDEMPOTENCY_HEADER
from aico.api.idempotency import REPLAYED_HEADER
from aico.api.request_id import HEADER as REQUEST_ID_HEADER
from aico.wire.chat_answer import JOB_HEADER, ROUTING_HEADERS
from aico.wire.controls import CONTROL_HEADERS
from aico.wire.rate_limits import FIELDS as LIMIT_FIELDS

# What OpenAI's client for JavaScript says about itself with each request. A preflight names each header in full.
_STAINLESS = (
    "Arch Async Custom-Poll-Interval Helper-Method Lang OS Package-Version Poll-Helper Read-Timeout Retry-Count Runtime"
    " Runtime-Version Timeout"
)
ALLOWED = (
    *("Authorization", "Content-Type", IDEMPOTENCY_HEADER, "X-Tenant-Id", REQUEST_ID_HEADER),
    *("OpenAI-Organization", "OpenAI-Project", "OpenAI-Beta"),
    *("MCP-Protocol-Version", "Mcp-Method", "Mcp-Name", "Last-Event-ID"),
    *(f"X-Stainless-{name}" for name in _STAINLESS.split()),
    *CONTROL_HEADERS,
)
EXPOSED = (
    *(
        REPLAYED_HEADER,
        "Location",
        "Retry-After",
        "WWW-Authenticate",
        "x-should-retry",
        REQUEST_ID_HEADER,
        "openai-processing-ms",
    ),
    *(JOB_HEADER, *ROUTING_HEADERS),
    *LIMIT_FIELDS,
)


class Cors(CORSMiddleware):
    """For pages of these origins, without cookies."""

    def __init__(self, app: ASGIApp, *, origins: tuple[str, ...]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=["GET", "POST", "PATCH", "PUT", "DELETE"],
            allow_headers=ALLOWED,
            expose_headers=EXPOSED,
        )
