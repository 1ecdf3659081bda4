"""Jobs from the command line: submit one, watch one, report what they cost."""

import json
import sys
from decimal import Decimal
from typing import Annotated, Any

import typer
from rich.table import Table

from aico.cli.client import Client
from aico.cli.options import AsJson, Deadline, Window, due
from aico.cli.savings import savings_lines
from aico.cli.show import cents, err, how, out
from aico.core.errors import InvalidInput
from aico.core.jobs import JobClass
from aico.core.settings import get_settings
from aico.core.strategies import StrategyName

EXIT_FAILED = 1


def submit(
    prompt: Annotated[str, typer.Argument(help="The prompt, or - to read it from standard input.")],
    *,
    system: Annotated[str | None, typer.Option(help="A system message.")] = None,
    model: Annotated[str, typer.Option(help="A model's id, or auto.")] = "auto",
    strategy: Annotated[StrategyName | None, typer.Option(help="By which the model is chosen.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Limit of the answer.")] = None,
    job_class: Annotated[JobClass, typer.Option("--class", help="Who waits for it.")] = JobClass.INTERACTIVE,
    deadline: Deadline = None,
    completion_window: Window = None,
    priority: Annotated[
        int | None, typer.Option(metavar="SECONDS", help="Head start over your other waiting jobs.")
    ] = None,
    max_retries: Annotated[int | None, typer.Option(min=0, help="How often it may go back into the queue.")] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="The same key and request stand for the same job.")
    ] = None,
    wait: Annotated[bool, typer.Option(help="Wait for the answer, or print the job's id at once.")] = True,
    as_json: AsJson = False,
) -> None:
    """Submit a prompt. The answer goes to standard output, how it came about to standard error.

    Exit code 0: answered, or submitted with --no-wait; 1: not; 2: the command makes no sense.
    """
    text = _prompt(prompt)
    numbers = {"max_tokens": max_tokens, "priority": priority, "max_retries": max_retries}
    optional = {"system": system or None, "strategy": strategy, **numbers}
    given = {name: value for name, value in optional.items() if value is not None}
    request = {"prompt": text, "model": model, "class": job_class, **given, **due(deadline, completion_window)}
    with Client.from_settings(get_settings()) as client:
        job = client.submit(request, idempotency_key=idempotency_key)
        if wait:
            job = client.wait(job["id"])
    if wait:
        _show(job, as_json=as_json)
    else:
        typer.echo(json.dumps(job) if as_json else job["id"])


def _prompt(given: str) -> str:
    """Raises InvalidInput where the bytes are no text."""
    try:
        text = sys.stdin.read() if given == "-" else given
        text.encode()
    except UnicodeError as error:
        raise InvalidInput("the prompt is not UTF-8") from error
    return text


def watch(
    job_id: Annotated[str, typer.Argument(help="The job's id.")],
    as_json: AsJson = False,
) -> None:
    """Wait for a job and print its answer. Exit code 0: answered; 1: not."""
    with Client.from_settings(get_settings()) as client, err.status("waiting") as status:
        job = client.wait(job_id, on_poll=lambda polled: status.update(polled["status"]))
    _show(job, as_json=as_json)


def _show(job: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(job))
    elif "answer" in job:
        typer.echo(job["answer"]["text"])
        err.print(f"[dim]{how(job)}[/dim]")
    if "answer" not in job:
        if not as_json:
            err.print(f"{job['status']}: {job.get('error', {}).get('message', 'no answer')}", style="red")
        raise typer.Exit(EXIT_FAILED)


def report(
    days: Annotated[int, typer.Option(min=1, max=366, help="Whole days back from now, UTC.")] = 30,
    as_json: AsJson = False,
) -> None:
    """What was spent, what the baseline model would have cost, and the difference."""
    with Client.from_settings(get_settings()) as client:
        summary = {**client.costs(days), "savings": client.savings(days)}
    if as_json:
        typer.echo(json.dumps(summary))
        return
    table = Table(title=f"Last {days} days")
    for name in ("how", "provider", "model"):
        table.add_column(name)
    for name in ("answered", "failed", "tokens in", "tokens out", "cost", "baseline", "saved"):
        table.add_column(name, justify="right")
    for row in summary["rows"]:
        figures = (row["answered"], row["failed"], row["input_tokens"], row["output_tokens"])
        money = (row["cost_cents"], row["baseline_cost_cents"], row["saved_cents"])
        kind = row["kind"].replace("_", " ")
        table.add_row(kind, row["provider"], row["model"], *map(str, figures), *map(cents, money))
    out.print(table)
    out.print(
        f"cost {cents(summary['cost_cents'])}, baseline {cents(summary['baseline_cost_cents'])},"
        f" saved [bold]{cents(summary['saved_cents'])}[/bold]"
    )
    if Decimal(summary["routing_cost_cents"]):
        own = cents(summary["routing_cost_cents"])
        out.print(f"{own} of the cost are routing's own: shadow answers and their judge.")
    if summary["unpriced_attempts"]:
        out.print(f"{summary['unpriced_attempts']} attempts have no known price and are not in these sums.")
    for line in savings_lines(summary["savings"]):
        out.print(line)
