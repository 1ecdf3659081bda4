"""`aico experiments`: those of the API key's tenant, over the API."""

import json
import tomllib
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.markup import escape
from rich.table import Column, Table

from aico.cli.client import Client
from aico.cli.show import err, out
from aico.core.errors import InvalidInput
from aico.core.settings import get_settings

app = typer.Typer(help="Which way of answering is better. The API key says whose.", no_args_is_help=True)

PATH = "/v1/experiments"
_PAGE = 100
_UNITS = {"cost": "cents", "latency": "ms", "quality": "", "failures": ""}

Experiment = Annotated[UUID, typer.Argument(help="As `aico experiments list` shows it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print what the API answers.")]


@app.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List the experiments, newest first."""
    found = _all()
    if as_json:
        typer.echo(json.dumps(found))
        return
    table = Table(Column("id", no_wrap=True), "name", "status", "unit", "arms", "started", "why it stopped")
    for one in found:
        arms = ", ".join(arm["name"] for arm in one["arms"])
        texts = (
            one["name"],
            one["status"],
            one["unit"],
            arms,
            _moment(one["started_at"]),
            one["stopped_because"] or "",
        )
        table.add_row(one["id"], *map(escape, texts))
    out.print(table)


@app.command()
def show(experiment: Experiment) -> None:
    """Print an experiment: what it compares, and how it stands."""
    typer.echo(json.dumps(_call("GET", f"/{experiment}"), indent=2))


@app.command()
def create(
    file: Annotated[Path, typer.Argument(help="TOML, with the fields of POST /v1/experiments.")],
    start: Annotated[bool, typer.Option("--start", help="Start it at once.")] = False,
) -> None:
    """Draft an experiment and print its id. Exit code 1: the API refused it; 2: the file makes no sense."""
    made = _call("POST", "", json=_read(file))
    typer.echo(made["id"])  # first: where the start is refused, the draft is there
    if start:
        _call("POST", f"/{made['id']}/start")
    err.print(f"{'Started' if start else 'Drafted'} {made['name']}.", markup=False)


@app.command("start")
def start_one(experiment: Experiment) -> None:
    """Start a draft. Exit code 0: it runs; 1: there is no such draft, or another experiment is in its way."""
    err.print(f"{_call('POST', f'/{experiment}/start')['name']} runs.", markup=False)


@app.command()
def stop(experiment: Experiment) -> None:
    """Stop a running experiment for good. Exit code 0: it is stopped; 1: it does not run."""
    err.print(f"{_call('POST', f'/{experiment}/stop')['name']} is stopped.", markup=False)


@app.command()
def results(experiment: Experiment, as_json: AsJson = False) -> None:
    """Show what an experiment has shown so far. One may look as often as one likes."""
    found = _call("GET", f"/{experiment}/results")
    if as_json:
        typer.echo(json.dumps(found))
        return
    out.print(_arms(found))
    said = sorted(found["comparisons"], key=lambda one: not one["primary"])
    for one in said:
        out.print(f"{'* ' if one['primary'] else '  '}{one['says']}", markup=False, highlight=False)
    split = found["split"]
    out.print(f"Split: p {split['p']:.3g}, at any look {split['anytime_p']:.3g}", highlight=False)
    for note in found["notes"]:
        err.print(note, markup=False, highlight=False)


@app.command()
def delete(experiment: Experiment) -> None:
    """Remove an experiment that does not run, with all that it has shown. Exit code 0: removed; 1: it was refused."""
    _call("DELETE", f"/{experiment}")
    err.print(f"Removed {experiment}.")


def _arms(found: dict[str, Any]) -> Table:
    table = Table("arm", "jobs", "failed", *_UNITS, title=escape(f"{found['name']}: {found['status']}"))
    for arm in found["arms"]:
        name = arm["name"] + (" (control)" if arm["control"] else "") + (" (ended)" if arm["ended"] else "")
        means = (_mean(arm["metrics"][metric], unit) for metric, unit in _UNITS.items())
        table.add_row(escape(name), str(arm["jobs"]), str(arm["failed"]), *means)
    return table


def _mean(mean: dict[str, Any], unit: str) -> str:
    if mean["mean"] is None:
        return ""
    interval = "" if mean["low"] is None else f" ({mean['low']:.4g} to {mean['high']:.4g})"
    return f"{mean['mean']:.4g} {unit}".rstrip() + interval


def _read(file: Path) -> dict[str, Any]:
    try:
        found = tomllib.loads(file.read_text("utf-8"))
        json.dumps(found, allow_nan=False)
    except OSError as error:
        raise InvalidInput(f"cannot read {file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file} is not TOML: {error}") from error
    except (TypeError, ValueError) as error:  # a date, or a number that is none
        raise InvalidInput(f"{file} has a value that no experiment has: {error}") from error
    return found


def _all() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after: dict[str, Any] = {}
    while True:
        page = _call("GET", "", params={"limit": _PAGE, **after})
        found += page["data"]
        if not page["has_more"]:
            return found
        after = {"after": page["next"]}


def _call(method: str, path: str, **options: Any) -> dict[str, Any]:
    with Client.from_settings(get_settings()) as client:
        return client.request(method, PATH + path, **options)


def _moment(text: str | None) -> str:
    """An ISO 8601 time down to the minute."""
    return "" if text is None else text[:16].replace("T", " ")
