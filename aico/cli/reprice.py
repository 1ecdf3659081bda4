"""Prices booked calls again by the price book as it is now, each at its own date, straight in the database."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table
from rich.text import Text

from aico.cli.options import past
from aico.cli.show import cents, err, out
from aico.cli.tenancy import find_tenant, open_database
from aico.core.access import OPERATOR
from aico.core.errors import InvalidInput
from aico.core.ids import new_id
from aico.core.quotas import plain
from aico.core.repricing import Booked, Charge, Correction
from aico.core.settings import get_settings
from aico.routing.catalogue import Catalogue
from aico.routing.prices import PriceBook
from aico.routing.repricing import reprice as price_again
from aico.store import repricing, tenants
from aico.store.blocking import Database
from aico.store.repricing import Selection
from aico.store.scope import Scope

PAGE = 2000  # calls a transaction
_TENANTS = 500
_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
_KEPT = "Quotas, the routing reports of jobs and what was reported to Stripe stay as they are."

ModelKey = tuple[str, str]  # provider and model


def moment(text: str) -> datetime:
    """A day's first moment, UTC, or what `past` takes. Raises typer.BadParameter for anything else."""
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC)
    except ValueError:
        return past(text)


@dataclass(slots=True)
class Tally:
    """Of one model's selected calls. US cents; calls without a known price are in no sum."""

    calls: int = 0
    changed: int = 0
    before: Decimal = Decimal(0)
    after: Decimal = Decimal(0)
    unpriced_before: int = 0
    unpriced_after: int = 0

    def add(self, before: Charge, after: Charge, *, changed: bool) -> None:
        self.calls += 1
        self.changed += changed
        self.before += before.cents or 0
        self.after += after.cents or 0
        self.unpriced_before += before.cents is None
        self.unpriced_after += after.cents is None


def reprice(
    tenant: Annotated[str | None, typer.Option(help="The tenant's name.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All tenants.")] = False,
    since: Annotated[
        datetime | None, typer.Option(parser=moment, metavar="DATE", help="From this day, UTC, or moment on.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(parser=moment, metavar="DATE", help="Before this day, UTC, or moment.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Only calls of this model, by its id.")] = None,
    unpriced_only: Annotated[bool, typer.Option("--unpriced-only", help="Only calls without a known price.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the differences, and change nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    """Price booked calls again from the tokens that were stored, by the prices of now at each call's own date.

    The ledger and its sums change together; what stood there before is kept, and the audit log says so. Exit code 0:
    done or shown; 1: there is no such tenant; 2: the command makes no sense.
    """
    if (tenant is None) != every:
        raise InvalidInput("give either --tenant or --all")
    selected = Selection(since or _BEGINNING, until or datetime.now(UTC), model, unpriced_only)
    if selected.since >= selected.until:
        raise InvalidInput("--since must be before --until")
    book = PriceBook(Catalogue.from_settings(get_settings()), warns=False)  # what it shows says it
    run = new_id()
    with closing(open_database()) as database:
        chosen = list(_everyone(database)) if tenant is None else [find_tenant(database, tenant)]
        repricer = Repricer(database, book, selected, None if dry_run else run)
        with _progress(repricer.count(chosen)) as advance:
            for one in chosen:
                repricer.reprice(one, advance)
    _show(repricer.tallies, run=run, dry_run=dry_run, as_json=as_json)


class Repricer:
    """`run` names the change in the records that are kept of it; None: nothing is changed."""

    def __init__(self, database: Database, book: PriceBook, selected: Selection, run: UUID | None) -> None:
        self.tallies: defaultdict[ModelKey, Tally] = defaultdict(Tally)
        self._database = database
        self._book = book
        self._selected = selected
        self._run = run

    def count(self, chosen: list[UUID]) -> int:
        return sum(self._database.run(Scope.tenant(one), repricing.count(one, self._selected))[0] for one in chosen)

    def reprice(self, tenant: UUID, advance: Callable[[int], None]) -> None:
        """Page by page, a transaction each: what was done stays done, and doing it again changes nothing."""
        scope = Scope.tenant(tenant)
        last: Booked | None = None
        while True:
            statement = repricing.page(tenant, self._selected, after=last, limit=PAGE)
            page = self._database.run(scope, statement)
            corrections = [one for booked in page if (one := self._judged(booked)) is not None]
            if corrections and self._run is not None:
                self._database.run(scope, repricing.correct(tenant, self._run, OPERATOR, corrections))
            advance(len(page))
            if len(page) < PAGE:
                return
            last = page[-1]

    def _judged(self, booked: Booked) -> Correction | None:
        correction = price_again(self._book, booked)
        after = booked.charge if correction is None else correction.charge
        tally = self.tallies[booked.provider, booked.model]
        tally.add(booked.charge, after, changed=correction is not None)
        return correction


def _everyone(database: Database) -> Iterator[UUID]:
    after: UUID | None = None
    while True:
        page = database.run(Scope.system(), tenants.everyone(after=after, limit=_TENANTS))
        yield from (one.id for one in page)
        if len(page) < _TENANTS:
            return
        after = page[-1].id


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    columns = (TextColumn("calls"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task("", total=total)
        yield lambda done: progress.update(task, advance=done)


def _show(tallies: Mapping[ModelKey, Tally], *, run: UUID, dry_run: bool, as_json: bool) -> None:
    changed = sum(tally.changed for tally in tallies.values())
    if as_json:
        models = [_as_json(key, tally) for key, tally in sorted(tallies.items())]
        report = {"run": None if dry_run else str(run), "dry_run": dry_run, "changed": changed, "models": models}
        typer.echo(json.dumps(report))
        return
    numbers = ("calls", "changed", "before", "after", "difference", "without a price")
    table = Table("model", *(Column(name, justify="right") for name in numbers))
    for (provider, model), tally in sorted(tallies.items()):
        texts = (tally.calls, tally.changed, cents(tally.before), cents(tally.after), cents(tally.after - tally.before))
        without = f"{tally.unpriced_before} → {tally.unpriced_after}"
        table.add_row(Text(f"{provider}/{model}"), *map(str, texts), without)
    out.print(table)
    done = "would be priced otherwise; nothing was changed" if dry_run else f"were priced otherwise, in run {run}"
    err.print(f"{changed} calls {done}. {_KEPT}", markup=False, highlight=False, soft_wrap=True)


def _as_json(key: ModelKey, tally: Tally) -> dict[str, Any]:
    return {
        "provider": key[0],
        "model": key[1],
        "calls": tally.calls,
        "changed": tally.changed,
        "cents_before": plain(tally.before),
        "cents_after": plain(tally.after),
        "cents_difference": plain(tally.after - tally.before),
        "unpriced_before": tally.unpriced_before,
        "unpriced_after": tally.unpriced_after,
    }
