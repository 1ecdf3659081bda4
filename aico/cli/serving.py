"""The API as a process, and its description."""

import gc
import json
import sys

import uvicorn
from fastapi import FastAPI

from aico.api.app import create_app
from aico.cli.mcp_mount import mount_mcp
from aico.core.logs import configure_logging
from aico.core.settings import get_settings
from aico.tracing.switch import tracing


def application() -> FastAPI:
    """The API, with the MCP server at `/mcp`."""
    settings = get_settings()
    app = mount_mcp(create_app(settings), settings)
    gc.freeze()  # modules and routes live as long as the process: to look through them again and again costs a tenth
    return app


def serve() -> None:
    """Run the API, with the MCP server at `/mcp`."""
    settings = get_settings()
    configure_logging(settings.log_level)
    with tracing(settings, "api"):
        uvicorn.run(
            application,
            factory=True,
            host=settings.host,
            port=settings.port,
            loop="uvloop",
            http="httptools",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            timeout_graceful_shutdown=10,
        )


def openapi() -> None:
    """Print the API's description, an OpenAPI document."""
    sys.stdout.write(json.dumps(create_app(get_settings()).openapi(), indent=1) + "\n")
