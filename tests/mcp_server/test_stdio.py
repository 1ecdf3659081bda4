"""`aico mcp` as an assistant starts it: by the documented entry, with nothing but the protocol on standard output."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
from conftest import Tenant
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_server.conftest import structured
from pydantic import SecretStr

from aico.cli import mcp
from aico.cli.mcp import config, executable
from aico.core.settings import Settings

DOCS = Path(__file__).parents[2] / "docs/mcp.md"
ENTRIES = [
    json.loads(block)["mcpServers"]["aico"] for block in re.findall(r"```json\n(.*?)```", DOCS.read_text(), re.DOTALL)
]
PLACEHOLDERS = {
    "/path/to/aico/.venv/bin/aico": "command",
    "http://127.0.0.1:8080": "url",
    "aico_live_...": "key",
}


@pytest.fixture
def command(tmp_path: Path) -> Path:
    """What the installed script does, for the code under test."""
    script = tmp_path / "aico"
    paths = ":".join(sys.path)
    script.write_text(f'#!/bin/sh\nPYTHONPATH="{paths}" exec "{sys.executable}" -m aico.cli.main "$@"\n')
    script.chmod(0o755)
    return script


def filled(entry: Any, values: dict[str, str]) -> Any:
    """The entry as a user completes it."""
    text = json.dumps(entry)
    for placeholder, name in PLACEHOLDERS.items():
        text = text.replace(placeholder, values[name])
    return json.loads(text)


@pytest.mark.anyio
async def test_the_documented_entry_starts_a_server_that_works(
    command: Path, service: str, tenant: Tenant, answered: None, tmp_path: Path
) -> None:
    stdio, _ = ENTRIES
    entry = filled(stdio, {"command": str(command), "url": service, "key": tenant.key})
    assert entry.keys() == {"command", "args", "env"}
    parameters = StdioServerParameters(**entry, cwd=tmp_path)
    async with Client(parameters) as client:
        assert structured(await client.call_tool("ask", {"prompt": "Does it work?"}))["text"] == "Paris."


@pytest.mark.anyio
async def test_the_documented_address_and_header_open_the_http_server(service: str, tenant: Tenant) -> None:
    _, http = ENTRIES
    entry = filled(http, {"command": "", "url": service, "key": tenant.key})
    async with (
        httpx2.AsyncClient(headers=entry["headers"]) as sender,
        Client(streamable_http_client(entry["url"], http_client=sender)) as client,
    ):
        assert len((await client.list_tools()).tools) == 8


def test_the_printed_entry_is_the_documented_one_with_this_machines_values(settings: Settings) -> None:
    changes = {"cost_optimizer_api_url": "http://127.0.0.1:18080", "aico_api_key": SecretStr("aico_live_mine")}
    printed = config(settings.model_copy(update=changes), Path("/opt/aico"))
    values = {"command": "/opt/aico", "url": "http://127.0.0.1:18080", "key": "aico_live_mine"}
    assert printed["mcpServers"]["aico"] == filled(ENTRIES[0], values)
    without_key = config(settings.model_copy(update={"aico_api_key": None}), Path("/opt/aico"))
    assert without_key["mcpServers"]["aico"]["env"]["AICO_API_KEY"] == mcp.PLACEHOLDER
    assert executable().is_absolute()


def test_the_command_prints_the_entry_and_nothing_else(command: Path, tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "AICO_API_KEY": "aico_live_mine"}
    printed = run(command, ["mcp", "--print-config"], environment, tmp_path)
    assert json.loads(printed.stdout)["mcpServers"]["aico"]["env"]["AICO_API_KEY"] == "aico_live_mine"


def test_without_a_key_the_command_says_what_is_missing(command: Path, tmp_path: Path) -> None:
    ended = run(command, ["mcp"], {"PATH": os.environ["PATH"]}, tmp_path)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "set AICO_API_KEY where this command is configured" in ended.stderr


def test_the_oldest_protocol_is_spoken_and_nothing_else_is_on_standard_output(
    command: Path, service: str, tenant: Tenant, tmp_path: Path
) -> None:
    hello = {"protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {"name": "old", "version": "1"}}
    sent = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "cost_summary", "arguments": {}}},
        {
            "jsonrpc": "2.0",
            "id": 3,
            "method": "tools/call",
            "params": {"name": "get_job", "arguments": {"job_id": "?"}},
        },
    ]
    environment = {
        "PATH": os.environ["PATH"],
        "AICO_API_KEY": tenant.key,
        "COST_OPTIMIZER_API_URL": service,
        "LOG_LEVEL": "DEBUG",
    }
    with subprocess.Popen(
        [command, "mcp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd=tmp_path, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("".join(json.dumps(message) + "\n" for message in sent))
        process.stdin.flush()
        answers = {
            answer["id"]: answer["result"] for answer in (json.loads(process.stdout.readline()) for _ in range(3))
        }
        process.stdin.close()
        assert process.stdout.read() == ""
    assert process.returncode == 0
    assert answers[1]["protocolVersion"] == "2024-11-05"
    assert json.loads(answers[2]["content"][0]["text"])["cost_cents"]
    assert answers[3]["isError"] is True


def _call(number: int, tool: str, arguments: dict[str, str]) -> dict[str, Any]:
    params = {"name": tool, "arguments": arguments}
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


def run(
    command: Path, arguments: list[str], environment: dict[str, str], folder: Path
) -> "subprocess.CompletedProcess[str]":
    argv = [str(command), *arguments]
    return subprocess.run(
        argv,
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
