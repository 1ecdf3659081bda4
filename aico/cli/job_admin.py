"""The API key's jobs: listed, looked at, cancelled and replayed."""

import dataclasses
import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice, takewhile
from typing import Annotated
from uuid import UUID

import typer
from rich.prompt import Confirm

from aico.cli.client import Client, Refused
from aico.cli.job_view import details, jobs_table
from aico.cli.options import AsJson, past
from aico.cli.show import err, out
from aico.core.errors import InvalidInput
from aico.core.jobs import JobClass, JobStatus
from aico.core.settings import get_settings
from aico.store.dead_letters import Filter

EXIT_SOME_FAILED = 1

app = typer.Typer(help="Jobs: list, look at, cancel, replay. The API key says whose.", no_args_is_help=True)


class DeadStatus(StrEnum):
    FAILED = "failed"
    EXPIRED = "expired"


Ids = Annotated[list[UUID], typer.Argument(metavar="ID", help="As `aico jobs ls` shows them.")]
Class = Annotated[JobClass | None, typer.Option("--class", help="Only of this class.")]
ErrorCode = Annotated[str | None, typer.Option(help="Only with this error, such as deadline_exceeded.")]


@app.command()
def ls(
    status: Annotated[JobStatus | None, typer.Option(help="Only with this status.")] = None,
    job_class: Class = None,
    dead: Annotated[bool, typer.Option("--dead", help="Those that failed or expired and were not replayed.")] = False,
    error_code: ErrorCode = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 20,
    ids: Annotated[bool, typer.Option("--ids", help="Print ids alone, one a line.")] = False,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first; `left` is the time until the deadline. --error-code goes with --dead."""
    if ids and as_json:
        raise InvalidInput("give either --ids or --json")
    if error_code is not None and not dead:
        raise InvalidInput("--error-code goes with --dead")
    if dead and status is not None and status.value not in set(DeadStatus):
        raise InvalidInput(f"with --dead, --status is {' or '.join(DeadStatus)}")
    with Client.from_settings(get_settings()) as client:
        if dead:
            found = client.dead_letters(status=status, job_class=job_class, error_code=error_code, limit=limit)
        else:
            found = client.jobs(status=status, job_class=job_class, limit=limit)
        pages = list(found)
    jobs = [job for page in pages for job in page["data"]]
    if as_json:
        typer.echo(json.dumps({**pages[-1], "data": jobs}))
        return
    if ids:
        sys.stdout.writelines(f"{job['id']}\n" for job in jobs)
    else:
        out.print(jobs_table(jobs, datetime.now(UTC)))
    if pages[-1]["has_more"]:
        err.print(f"There are more than {limit}: --limit.")


@app.command()
def show(
    job_id: Annotated[UUID, typer.Argument(metavar="ID", help="As `aico jobs ls` shows it.")], as_json: AsJson = False
) -> None:
    """Print everything about a job, with each time it was put back into the queue."""
    with Client.from_settings(get_settings()) as client:
        job = client.get(str(job_id))
    if as_json:
        typer.echo(json.dumps(job))
    else:
        out.print(details(job, datetime.now(UTC)))


@app.command()
def cancel(job_ids: Ids) -> None:
    """End jobs wherever they are. Exit code 0: all are cancelled; 1: some had ended otherwise, or are not there."""
    with Client.from_settings(get_settings()) as client:
        _each(job_ids, lambda job_id: f"{client.cancel(job_id)['id']} cancelled")


@app.command()
def replay(
    job_ids: Annotated[
        list[UUID] | None, typer.Argument(metavar="ID", help="As `aico jobs ls --dead` shows them.")
    ] = None,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="All that failed or expired and were not replayed.")
    ] = False,
    status: Annotated[DeadStatus | None, typer.Option(help="Only with this status.")] = None,
    error_code: ErrorCode = None,
    job_class: Class = None,
    since: Annotated[
        datetime | None, typer.Option(parser=past, metavar="TIME", help="Created then or later: 2h ago, or a date.")
    ] = None,
    before: Annotated[
        datetime | None, typer.Option(parser=past, metavar="TIME", help="Created before: 1d ago, or a date.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most, the oldest first.")] = 1000,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Submit jobs that failed or expired anew: by id, by filter, or --all. The new ids go to standard output.

    Exit code 0: done; 1: some could not be replayed, or the answer was no; 2: the command makes no sense.
    """
    chosen = Filter(
        status=JobStatus(status) if status else None,
        job_class=job_class,
        error_code=error_code,
        since=since,
        until=before,
    )
    if sum((bool(job_ids), everything, chosen != Filter())) != 1:
        raise InvalidInput("name jobs, or give a filter such as --status failed, or --all: one of the three")
    with Client.from_settings(get_settings()) as client:
        if job_ids:
            _each(job_ids, lambda job_id: str(client.replay(job_id)["id"]))
        else:
            _replay_chosen(client, dataclasses.replace(chosen, until=before or datetime.now(UTC)), limit, ask=not yes)


def _each(job_ids: Sequence[UUID], change: Callable[[str], str]) -> None:
    """What became of each, on a line of its own: what `change` says, or on standard error why not."""
    refused = 0
    for job_id in dict.fromkeys(map(str, job_ids)):
        try:
            typer.echo(change(job_id))
        except Refused as error:
            refused += 1
            typer.echo(f"{job_id} not: {error.detail}", err=True)
    if refused:
        raise typer.Exit(EXIT_SOME_FAILED)


def _replay_chosen(client: Client, chosen: Filter, limit: int, *, ask: bool) -> None:
    """`chosen` ends at a moment that has passed, so that replays that fail at once are not replayed in their turn."""
    most = _confirmed(client, chosen, limit) if ask else limit
    replayed, more = 0, False
    with err.status("replaying") as progress:
        for page in client.replay_letters(chosen, most):
            for one in page["replayed"]:
                typer.echo(one["job"])
            replayed, more = replayed + len(page["replayed"]), page["has_more"]
            progress.update(f"replayed {replayed}")
    err.print(f"Replayed {replayed}." + (" There may be more." if more and most == limit else ""))


def _confirmed(client: Client, chosen: Filter, limit: int) -> int:
    """How many were agreed to. Raises InvalidInput where nobody can be asked, typer.Exit where the answer is no."""
    if not sys.stdin.isatty():
        raise InvalidInput("there is no terminal to ask on; give --yes to replay by filter")
    count = _count(client, chosen, limit)
    if count and not Confirm.ask(f"Replay {count} of your jobs?", console=err, default=False):
        err.print("Nothing was replayed.")
        raise typer.Exit(EXIT_SOME_FAILED)
    return count


def _count(client: Client, chosen: Filter, limit: int) -> int:
    """How many dead letters are chosen, up to `limit`. Newest first, they are read only back to `since`."""
    pages = client.dead_letters(status=chosen.status, job_class=chosen.job_class, error_code=chosen.error_code)
    created = (datetime.fromisoformat(job["created_at"]) for page in pages for job in page["data"])
    recent = takewhile(lambda moment: chosen.since is None or moment >= chosen.since, created)
    due = (moment for moment in recent if chosen.until is None or moment < chosen.until)
    return sum(1 for _ in islice(due, limit))
