"""What `aico serve` runs, loaded when it does: the other commands need none of it."""

import gc

from fastapi import FastAPI

from aico.api.app import create_app
from aico.cli.mcp_mount import mount_mcp
from aico.core.settings import get_settings


def application() -> FastAPI:
    """The API, with the MCP server at `/mcp`."""
    settings = get_settings()
    app = mount_mcp(create_app(settings), settings)
    gc.freeze()  # modules and routes live as long as the process: to look through them again and again costs a tenth
    return app
