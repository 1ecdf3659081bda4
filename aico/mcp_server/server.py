"""The MCP server, and the two ways to speak with it."""

from collections.abc import Sequence
from typing import Any

import httpx2
from mcp.server.mcpserver import MCPServer
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings

from aico import __version__
from aico.core.errors import Unauthorized
from aico.core.settings import Settings
from aico.mcp_server.api import Access
from aico.mcp_server.resource import LOOPBACK, host_of
from aico.mcp_server.tasks import Tasks
from aico.mcp_server.tools import Tools

INSTRUCTIONS = (
    "Answers prompts from a cache or by the cheapest model that is good enough, and says what each answer cost."
    " Use ask for one prompt, run_batch for many, and submit with wait_for_job for work that can wait."
)
_API_SECONDS = 75  # longer than the API ever waits for a job


def make_server(access: Access) -> MCPServer[Any]:
    server = MCPServer[Any](
        "aico", title="AI Cost Optimizer", instructions=INSTRUCTIONS, version=__version__, extensions=[Tasks(access)]
    )
    Tools(access).add_to(server)
    return server


async def speak_stdio(settings: Settings) -> None:
    """Serve one client on standard input and output until it hangs up. Raises Unauthorized without an API key."""
    if settings.aico_api_key is None:
        raise Unauthorized("no API key: set AICO_API_KEY where this command is configured")
    async with httpx2.AsyncClient(base_url=settings.cost_optimizer_api_url, timeout=_API_SECONDS) as http:
        await make_server(Access(http, settings.aico_api_key)).run_stdio_async()


def over_http(server: MCPServer[Any], settings: Settings) -> StreamableHTTPSessionManager:
    """Streamable HTTP for any number of clients; enter `run()` of what is returned before its first request.

    No session is kept between requests, so that any process may answer the next one.
    """
    origins = [f"{scheme}://{host}" for scheme in ("http", "https") for host in LOOPBACK]
    server.streamable_http_app(
        stateless_http=True,
        max_request_body_size=settings.max_body_bytes,
        transport_security=TransportSecuritySettings(
            allowed_hosts=_with_ports(LOOPBACK) + [host_of(url) for url in settings.mcp_urls],
            allowed_origins=_with_ports(origins) + list(settings.cors_origins),
        ),
    )
    return server.session_manager


def _with_ports(hosts: Sequence[str]) -> list[str]:
    return [*hosts, *(f"{host}:*" for host in hosts)]
