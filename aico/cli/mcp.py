"""`aico mcp`: the MCP server for an assistant on this machine."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from aico.core.logs import configure_logging
from aico.core.settings import Settings, get_settings
from aico.mcp_server.server import speak_stdio

PLACEHOLDER = "aico_live_..."


def mcp(
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print the entry for Claude Desktop's configuration instead.")
    ] = False,
) -> None:
    """Speak MCP on standard input and output, for an assistant that starts this command. Logs go to standard error."""
    settings = get_settings()
    if print_config:
        typer.echo(json.dumps(config(settings, executable()), indent=2))
        return
    configure_logging(settings.log_level)
    asyncio.run(speak_stdio(settings))


def config(settings: Settings, command: Path) -> dict[str, Any]:
    """As Claude Desktop reads it. The key is in it: that file is where the command gets it from."""
    key = settings.aico_api_key.get_secret_value() if settings.aico_api_key else PLACEHOLDER
    environment = {"COST_OPTIMIZER_API_URL": settings.cost_optimizer_api_url, "AICO_API_KEY": key}
    return {"mcpServers": {"aico": {"command": str(command), "args": ["mcp"], "env": environment}}}


def executable() -> Path:
    """The absolute path of `aico`, whatever the folder from which it was called."""
    beside = Path(sys.executable).parent / ("aico.exe" if os.name == "nt" else "aico")
    return beside if beside.exists() else Path(sys.argv[0]).resolve()
