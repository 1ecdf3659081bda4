"""A tenant's data from the operator's side, straight in the database: how long it is kept, taken out, erased."""

import re
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import redis
import typer
from pydantic import ValidationError
from redis.backoff import NoBackoff
from redis.retry import Retry
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from aico.cli.show import err, out
from aico.cli.tenancy import SERVICE, TenantName, find_tenant, open_database
from aico.core.access import OPERATOR
from aico.core.data_rights import ErasureScope
from aico.core.errors import Conflict, InvalidInput
from aico.core.ids import new_id
from aico.core.settings import Settings, get_settings
from aico.store import data_requests, exports, retention
from aico.store.blocking import Database
from aico.store.data_requests import DataRequest, RequestKind
from aico.store.retention import Retention
from aico.store.scope import Scope
from aico.wire.errors import message_of
from aico.workers.archive import Archive, Sink
from aico.workers.data import work_on
from aico.workers.runtime import Runtime

_WRITE_BYTES = 1024 * 1024
_LOOK_SECONDS = 0.5
_DAYS = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)

Days = Annotated[str | None, typer.Option(metavar="DAYS", help=f"A number of days, or {SERVICE}: as the service does.")]


def keep(
    tenant: TenantName,
    jobs: Days = None,
    cache: Days = None,
    ledger: Days = None,
    files: Days = None,
    deliveries: Days = None,
) -> None:
    """Show how long a tenant's data is kept, or set what is given; `ledger` means the words beside the figures.

    Exit code 0: shown or set; 1: there is no such tenant; 2: the command makes no sense.
    """
    given = {"jobs": jobs, "cache": cache, "ledger": ledger, "files": files, "deliveries": deliveries}
    wanted = {name: _days(name, text) for name, text in given.items() if text is not None}
    with closing(open_database()) as database:
        tenant_id = find_tenant(database, tenant)
        scope = Scope.tenant(tenant_id)
        before = next(iter(database.run(scope, retention.get(tenant_id))), Retention())
        after = replace(before, **wanted)
        if after != before:
            database.run(scope, retention.put(tenant_id, after, OPERATOR))
    table = Table("what", "days")
    for name in given:
        days = getattr(after, name)
        table.add_row(name, SERVICE if days is None else str(days))
    out.print(table)


def export(
    tenant: TenantName,
    target: Annotated[Path, typer.Option("--out", help="A zip file to write, or a folder to put it into.")] = Path(),
) -> None:
    """Write everything that is a tenant's into a zip file of JSON lines.

    Exit code 0: written; 1: there is no such tenant.
    """
    with closing(open_database()) as database:
        tenant_id = find_tenant(database, tenant)
        file = target / f"aico-export-{tenant_id}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.zip" if target.is_dir() else target
        if not file.parent.is_dir():
            raise InvalidInput(f"there is no folder {file.parent}")
        rows, digest = _write(database, tenant_id, file)
        database.run(Scope.tenant(tenant_id), exports.note(tenant_id, OPERATOR, digest))
    err.print(f"{rows} rows in {file}", markup=False)


def _write(database: Database, tenant: UUID, file: Path) -> tuple[int, str]:
    """Beside its place first: a file that was cut off must not look like a whole one."""
    partial = file.with_name(f"{file.name}.partial")
    with partial.open("wb") as output, _progress() as show:
        sink = Sink(lambda _, piece: _all_of(output.write(piece), piece), _WRITE_BYTES)
        archive = Archive(tenant, lambda statement: database.run(Scope.tenant(tenant), statement), show)
        archive.write(sink)
        digest = sink.finish()
    partial.rename(file)
    return sum(archive.counts.values()), digest


def _all_of(written: int, piece: bytes) -> None:
    if written != len(piece):
        raise OSError(f"only {written} of {len(piece)} bytes could be written")


def erase(
    tenant: TenantName,
    tag: Annotated[str | None, typer.Option(help="Only jobs that have this tag.")] = None,
    job: Annotated[list[str] | None, typer.Option(help="Only this job; may be given again.")] = None,
    before: Annotated[str | None, typer.Option(help="Only jobs from before this time.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase a tenant's jobs and all that was made of them, or what is chosen; show the receipt.

    The tenant, its keys and the amounts in the ledger are kept. Exit code 0: erased; 1: there is no such tenant, or
    an erasure is under way; 2: the command makes no sense, or the name was not repeated.
    """
    scope = _scope(tag, job, before)
    with closing(open_database()) as database:
        tenant_id = find_tenant(database, tenant)
        if not yes and typer.prompt(f"Type the tenant's name to erase {_named(scope)}") != tenant:
            raise InvalidInput("that is not the tenant's name; nothing was erased")
        asked = data_requests.create(tenant_id, new_id(), RequestKind.ERASURE, OPERATOR, scope.stored())
        found = database.run(Scope.tenant(tenant_id), asked)
        if not found:
            raise Conflict("an erasure of this tenant is under way already")
        receipt = _erased(_runtime(get_settings(), database), tenant_id, found[0])
    table = Table("table", "rows")
    for noun, count in sorted(receipt.counts.items()):
        table.add_row(noun, str(count))
    out.print(table)
    out.print(f"receipt {receipt.id}, SHA-256 {receipt.sha256}", highlight=False, soft_wrap=True)


def _erased(runtime: Runtime, tenant: UUID, asked: DataRequest) -> DataRequest:
    """Here, unless a worker is at it already."""
    see = data_requests.get(tenant, RequestKind.ERASURE, asked.id)
    with _progress() as show:
        while True:
            work_on(runtime, tenant, asked.id)
            (seen,) = runtime.database.run(Scope.tenant(tenant), see)
            show("erased", sum(seen.counts.values()))
            if seen.finished_at is not None:
                return seen
            time.sleep(_LOOK_SECONDS)


def _runtime(settings: Settings, database: Database) -> Runtime:
    """A Redis that is away holds nothing up: what it keeps expires."""
    client = redis.Redis.from_url(
        settings.redis_url.get_secret_value(),
        decode_responses=True,
        socket_timeout=5,
        socket_connect_timeout=3,
        retry=Retry(NoBackoff(), 1),
    )
    return Runtime(settings, database, client)


def _scope(tag: str | None, jobs: list[str] | None, before: str | None) -> ErasureScope:
    said: dict[str, Any] = {"tag": tag, "job_ids": jobs or None, "before": before}
    given = {name: value for name, value in said.items() if value is not None}
    try:
        return ErasureScope.model_validate(given or {"everything": True})
    except ValidationError as error:
        raise InvalidInput(message_of(error.errors()[0])) from error


def _named(scope: ErasureScope) -> str:
    return "everything" if scope.everything else "what was chosen"


def _days(name: str, text: str) -> int | None:
    if text == SERVICE:
        return None
    most = get_settings().max_retention_days
    if not _DAYS.fullmatch(text) or int(text) > most:
        raise InvalidInput(f"--{name} is a number of days from 1 to {most}, or {SERVICE}, not {text!r}")
    return int(text)


@contextmanager
def _progress() -> Iterator[Any]:
    told = TextColumn("{task.description} {task.completed} rows")
    with Progress(SpinnerColumn(), told, TimeElapsedColumn(), console=err, transient=True) as progress:
        task = progress.add_task("")
        yield lambda what, rows: progress.update(task, description=what, advance=rows)
