"""Everything on this machine: until it is stopped, or for one file of prompts."""

import os
import threading
from pathlib import Path
from typing import Annotated

import typer

from aico.cli.client import Client
from aico.cli.demo import relations, send, summary
from aico.cli.first_person import OWNER, welcome
from aico.cli.show import err, out
from aico.cli.stack import FLOWER_USER, Options, Stack, operator_settings
from aico.core.errors import InvalidInput
from aico.core.settings import STATE_DIR
from aico.embedded.child import Event, EventKind
from aico.embedded.supervisor import Supervisor

EXIT_ERROR, EXIT_INTERRUPTED = 1, 130
PROMPTS = Path("examples/prompts.jsonl")

State = Annotated[Path, typer.Option(help="Where data, logs and passwords are kept.")]
Simulated = Annotated[bool, typer.Option("--simulated", help="A simulated model in place of the local one.")]


def up(
    state_dir: State = STATE_DIR,
    simulated: Simulated = False,
    local_model: Annotated[bool, typer.Option(help="Run the bundled model server.")] = True,
    flower: Annotated[bool, typer.Option(help="Run Flower, the workers' console.")] = True,
) -> None:
    """Run everything on this machine until Ctrl-C or SIGTERM."""
    options = Options(state_dir, local_model=local_model, simulated=simulated, flower=flower)
    stack = Stack(operator_settings(), options)

    def ready(_: Supervisor) -> None:
        welcome(stack)
        show_addresses(stack)
        out.print("Stop with Ctrl-C.")

    stack.run(on_event=_narrate, on_ready=ready)
    out.print("Stopped.")


def demo(
    file: Annotated[Path, typer.Argument(help="JSON lines with `prompt` or `messages`.")] = PROMPTS,
    state_dir: State = STATE_DIR,
    simulated: Simulated = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="As a new tenant, whose cache is empty.")] = False,
) -> None:
    """Start everything, send a file of prompts through it, show what it cost, and stop everything."""
    if not file.exists():
        raise InvalidInput(f"there is no file {file}; run this from the repository, or name a file")
    tenant = f"demo-{os.urandom(4).hex()}" if fresh else "demo"
    stack = Stack(operator_settings(), Options(state_dir, simulated=simulated, tenant=tenant))
    outcome: list[bool | BaseException] = []

    def ready(supervisor: Supervisor) -> None:
        threading.Thread(target=_show_demo, args=(stack, file, outcome, supervisor), daemon=True).start()

    stack.run(on_event=_narrate, on_ready=ready)
    if not outcome:
        raise typer.Exit(EXIT_INTERRUPTED)
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    if not outcome[0]:
        raise typer.Exit(EXIT_ERROR)


def _show_demo(stack: Stack, file: Path, outcome: list[bool | BaseException], supervisor: Supervisor) -> None:
    try:
        with Client(stack.api_url, stack.environment["AICO_API_KEY"]) as client:
            answers = send(client, file)
        out.print(summary(answers))
        out.print(relations(file, answers))
        show_addresses(stack, while_running="make up")
        outcome.append(all("answer" in answer.job for answer in answers))
    except Exception as error:  # noqa: BLE001 - handed to the main thread, which raises it
        outcome.append(error)
    finally:
        supervisor.request_stop()


def show_addresses(stack: Stack, while_running: str | None = None) -> None:
    if while_running:
        out.print(f"While `{while_running}` runs:")
    _dashboard(stack)
    out.print(f"  API      {stack.api_url}")
    out.print(f"  OpenAI   {stack.api_url}/v1 (the base_url of any client), MCP {stack.api_url}/mcp")
    out.print(f"  docs     {stack.api_url}/docs")
    if stack.flower_url is not None:
        out.print(f"  Flower   {stack.flower_url} (user {FLOWER_USER}, password in {stack.flower_password_file})")
    if stack.auth is not None:
        out.print(f"  Auth     {stack.auth.url} (`aico users` adds people; keys in {stack.auth.files.home})")
    if stack.key_is_new and not while_running:
        out.print(f"  API key  {stack.environment['AICO_API_KEY']}  (shown this once)")


def _dashboard(stack: Stack) -> None:
    if not stack.has_pages:
        out.print("  Pages    not built: `make dashboard` does, where Node 20.9 or later is")
        return
    out.print(f"  Pages    {stack.api_url}/ (the dashboard)")
    if stack.auth is not None and stack.owner_password_file.exists():
        out.print(f"  Sign in  {OWNER}, whose first password is in {stack.owner_password_file}")


def _narrate(event: Event) -> None:
    if event.kind in {EventKind.DIED, EventKind.RESTARTED}:
        err.print(f"[yellow]{event.name} {event.kind.value}[/yellow] {event.detail}")
    elif event.kind is EventKind.READY:
        err.print(f"[dim]{event.name} is ready[/dim]")
