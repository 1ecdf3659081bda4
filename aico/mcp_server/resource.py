"""Where clients reach the MCP endpoint, and the metadata that tells them who issues tokens for it (RFC 9728)."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

PATH = "/mcp"
METADATA_PATH = f"/.well-known/oauth-protected-resource{PATH}"
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def host_of(url: str) -> str:
    """As the Host header has it."""
    return urlsplit(url).netloc


def resource_at(host: str, urls: Sequence[str]) -> str | None:
    """The endpoint's address for a client who came to this host; None for a host that is none of ours."""
    known = next((url for url in urls if host_of(url) == host), None)
    if known is None and host.rpartition(":")[0] in LOOPBACK:
        return f"http://{host}{PATH}"
    return known


def metadata_address(resource: str) -> str:
    """Where the metadata of a resource is, at its own host."""
    parts = urlsplit(resource)
    return f"{parts.scheme}://{parts.netloc}{METADATA_PATH}"


def metadata(resource: str, authorization_server: str) -> dict[str, Any]:
    return {
        "resource": resource,
        "resource_name": "AI Cost Optimizer",
        "authorization_servers": [authorization_server],
        "bearer_methods_supported": ["header"],
    }
