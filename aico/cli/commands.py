"""Every command by name, and the module that has it: one is imported when it is called, for some load for a second."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from aico.core.loading import uncollected

# The order is that of `aico --help`.
COMMANDS: Mapping[str, str] = {
    "up": "running:up",
    "demo": "running:demo",
    "submit": "jobs:submit",
    "watch": "jobs:watch",
    "feedback": "feedback:feedback",
    "batch": "batch:batch",
    "queues": "queues:queues",
    "providers": "providers:providers",
    "mcp": "mcp:mcp",
    "doctor": "doctor:doctor",
    "audit": "audit:audit",
    "replay": "replay:replay",
    "reprice": "reprice:reprice",
    "jobs": "job_admin:app",
    "batches": "batch:app",
    "report": "billing:report_app",
    "experiments": "experiments:app",
    "webhooks": "webhooks:app",
    "keys": "keys:app",
    "members": "members:app",
    "tenants": "tenants:app",
    "quotas": "quotas:app",
    "learner": "learner:app",
    "cache": "cache:app",
    "provider-keys": "provider_keys:app",
    "users": "users:app",
    "billing": "billing:app",
}
PROCESSES: Mapping[str, str] = {
    "serve": "serving:serve",
    "worker": "processes:worker",
    "sweep": "sweeping:sweep",
    "flower": "processes:flower",
    "migrate": "processes:migrate",
    "health": "health:health",
    "openapi": "serving:openapi",
}

Runnable = TyperCommand | TyperGroup


class _Loaded(Mapping[str, Runnable]):
    """Importing on access; names alone import nothing."""

    def __init__(self) -> None:
        self._loaded: dict[str, Runnable] = {}

    def __getitem__(self, name: str) -> Runnable:
        if name not in self._loaded:
            self._loaded[name] = _load(name)
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        yield from COMMANDS
        yield from PROCESSES

    def __len__(self) -> int:
        return len(COMMANDS) + len(PROCESSES)


class Commands(TyperGroup):
    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Loaded()  # type: ignore[assignment] # it is only read


def _load(name: str) -> Runnable:
    """Raises KeyError where there is no such command."""
    module, _, attribute = (COMMANDS.get(name) or PROCESSES[name]).partition(":")
    with uncollected():
        found = getattr(import_module(f"aico.cli.{module}"), attribute)
    if isinstance(found, typer.Typer):
        group = get_group(found)
        group.name = name
        return group
    alone = typer.Typer(add_completion=False)
    alone.command(name, rich_help_panel="Processes" if name in PROCESSES else None)(found)
    command = get_command(alone)
    if not isinstance(command, TyperCommand):
        raise TypeError(f"{name} is no single command")
    return command
