"""What routing has learned for a tenant, from the operator's side: straight in the database."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict
from typing import Annotated
from uuid import UUID

import typer
from rich.table import Table
from rich.text import Text

from aico.cli.show import err, out
from aico.cli.tenancy import TenantName, find_tenant, open_database
from aico.core.errors import NotFound
from aico.core.estimates import wilson
from aico.store import drafts, learner
from aico.store.drafts import DraftStanding
from aico.store.learner import ModelStanding, Standing, Version
from aico.store.scope import Scope
from aico.store.statement import Statement

app = typer.Typer(help="What routing has learned from a tenant's outcomes.", no_args_is_help=True)

OPERATOR = "operator"  # as the audit log names whoever uses the command line

AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]


@app.command()
def show(tenant: TenantName, as_json: AsJson = False) -> None:
    """Show which version counts, on how many outcomes it rests and how well each model does by task."""
    with closing(open_database()) as database:
        tenant_id = find_tenant(database, tenant)
        scope = Scope.tenant(tenant_id)
        standing = database.run(scope, learner.standing(tenant_id))
        models = database.run(scope, learner.models(tenant_id))
        checked = database.run(scope, drafts.standing(tenant_id))
    if as_json:
        shown = asdict(standing[0]) if standing else None
        data = {"learner": shown, "models": list(map(asdict, models)), "drafts": list(map(asdict, checked))}
        out.print_json(data=data, default=str)
        return
    err.print(_in_words(standing[0]) if standing else "Nothing has been learned.", markup=False)
    table = Table("model", "labels", "task", "outcomes", "mean quality", "at least")
    for model, task, outcomes, quality in _rates(models):
        least = f"{wilson(quality * outcomes, outcomes).low:.2f}"
        table.add_row(Text(model.model), f"{model.labels:.0f}", task, str(outcomes), f"{quality:.2f}", least)
    out.print(table)
    if checked:
        out.print(_drafts(checked))


def _drafts(checked: Sequence[DraftStanding]) -> Table:
    table = Table(
        "drafts of", "labels", "judged", "good enough", "at least", "checked", "passed", "at least", "at most"
    )
    for one in checked:
        good, rate = wilson(one.good, one.judged), wilson(one.passed, one.checked)
        quality = (f"{one.good / one.judged:.2f}", f"{good.low:.2f}") if one.judged else ("", "")
        bounds = (f"{rate.low:.2f}", f"{rate.high:.2f}") if one.checked else ("", "")
        table.add_row(
            Text(one.model), f"{one.labels:.0f}", str(one.judged), *quality, str(one.checked), str(one.passed), *bounds
        )
    return table


def _in_words(one: Standing) -> str:
    held = f"version {one.pinned}, held there; the newest is {one.version}" if one.pinned else f"version {one.version}"
    price = "" if one.price is None else f"; one more US cent has to gain {one.price:.3g} of quality"
    return f"Routing goes by {held}: {one.labels or 0:.0f} outcomes{price}."


def _rates(models: Sequence[ModelStanding]) -> list[tuple[ModelStanding, str, int, float]]:
    return [
        (model, task, outcomes, total / outcomes)
        for model in models
        for task, (outcomes, total) in sorted(model.tasks.items())
        if outcomes
    ]


@app.command()
def history(tenant: TenantName, as_json: AsJson = False) -> None:
    """List the versions that are kept, newest first."""
    with closing(open_database()) as database:
        tenant_id = find_tenant(database, tenant)
        found: list[Version] = database.run(Scope.tenant(tenant_id), learner.history(tenant_id))
    if as_json:
        out.print_json(data=[asdict(one) for one in found], default=str)
        return
    table = Table("version", "", "outcomes", "price of quality", "made", "bytes")
    for one in found:
        mark = "held" if one.pinned else "in use" if one.counts else ""
        price = "" if one.price is None else f"{one.price:.3g}"
        made = f"{one.created_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(str(one.version), mark, f"{one.labels:.0f}", price, made, str(one.bytes))
    out.print(table)


@app.command()
def rollback(tenant: TenantName, version: Annotated[int, typer.Argument(min=1, help="As `history` lists it.")]) -> None:
    """Have routing go by an earlier version until `resume`. Outcomes are learned from all the while.

    Exit code 0: done; 1: there is no such tenant or version.
    """
    done = _change(tenant, lambda tenant_id: learner.pin(tenant_id, version, OPERATOR))
    if not done:
        raise NotFound(f"no version {version} is kept for {tenant!r}")
    err.print(f"Routing of {tenant} goes by version {version}, until `aico learner resume`.", markup=False)


@app.command()
def resume(tenant: TenantName) -> None:
    """Have routing go by the newest version again. Exit code 0: done; 1: it was held at none."""
    if not _change(tenant, lambda tenant_id: learner.unpin(tenant_id, OPERATOR)):
        raise NotFound(f"routing of {tenant!r} is held at no version")
    err.print(f"Routing of {tenant} goes by the newest version.", markup=False)


@app.command()
def reset(tenant: TenantName) -> None:
    """Forget all that was learned; earlier versions stay, for `rollback`. Exit code 0: done; 1: there was nothing."""
    if not _change(tenant, lambda tenant_id: learner.reset(tenant_id, OPERATOR)):
        raise NotFound(f"nothing has been learned for {tenant!r}")
    err.print(f"Routing of {tenant} learns from the next outcome on.", markup=False)


def _change(tenant: str, statement: Callable[[UUID], Statement[UUID]]) -> bool:
    with closing(open_database()) as database:
        tenant_id = find_tenant(database, tenant)
        return bool(database.run(Scope.tenant(tenant_id), statement(tenant_id)))
