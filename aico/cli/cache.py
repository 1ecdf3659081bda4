"""What the cache of the API key's tenant keeps: figures, entries, lifetimes; and forgetting."""

import json
import re
import sys
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.prompt import Confirm
from rich.table import Column, Table
from rich.text import Text

from aico.cli.cache_index import index
from aico.cli.client import Client
from aico.cli.explain_view import show as show_explanation
from aico.cli.show import err, out
from aico.core.cache_policy import GuardPolicy
from aico.core.errors import InvalidInput
from aico.core.settings import get_settings

app = typer.Typer(help="What the cache keeps. The API key says whose.", no_args_is_help=True)
app.command("index")(index)

PATH = "/v1/cache"
SERVICE = "service"  # no lifetime of its own
_LABEL = 32  # characters
_SHOWN = 12  # digits of a namespace, enough to tell them apart
_DIGITS = 64
_HEXADECIMAL = re.compile(rf"[0-9a-f]{{1,{_DIGITS}}}", re.ASCII)
_SECONDS = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)

AsJson = Annotated[bool, typer.Option("--json", help="Print what the API answers.")]
Namespace = Annotated[str | None, typer.Option(metavar="NAMESPACE", help="Its name, or how that begins.")]
Tag = Annotated[str | None, typer.Option(help="Of the jobs that paid for them.")]
ModelOption = Annotated[str | None, typer.Option("--model", help="That answered.")]


@app.command()
def stats(
    days: Annotated[int, typer.Option(min=1, max=366, help="Whole days back from now, UTC, for hits.")] = 30,
    as_json: AsJson = False,
) -> None:
    """Show how much is kept, how often it was served, and the namespaces that keep most."""
    found = _call("GET", "/stats", params={"days": days})
    if as_json:
        typer.echo(json.dumps(found))
        return
    rate = "no answers yet" if found["hit_rate"] is None else f"{found['hit_rate']:.1%} of {found['answers']} answers"
    hits = found["hits"]
    size = f"{found['bytes'] / 1e6:.1f} MB of at most {found['max_bytes'] / 1e6:.1f} MB"
    out.print(f"{found['entries']} answers of at most {found['max_entries']}, {size}")
    shared = f"{hits['shared']} more shared a call" if hits["shared"] else "no call was shared"
    out.print(f"hits in {days} days: {hits['exact']} exact, {hits['semantic']} semantic, {rate}; {shared}")
    out.print(f"error allowed per hit: {found['target']:g}")
    table = Table(
        Column("namespace", no_wrap=True),
        Column("label", no_wrap=True),
        "entries",
        "lives",
        "state",
        "cut",
        "bound",
        "judged",
    )
    for one in found["namespaces"]:
        lives = SERVICE if one["ttl_seconds"] is None else f"{one['ttl_seconds']} s"
        judged = f"{one['judged']}; {one['wrong']} of {one['above']} wrong"
        label = Text((one["label"] or "")[:_LABEL])
        figures = (_number(one["cut"], "start"), _number(one["bound"], "unknown"), judged)
        table.add_row(one["namespace"][:_SHOWN], label, str(one["entries"]), lives, one["state"], *figures)
    out.print(table)


@app.command()
def entries(
    namespace: Namespace = None,
    tag: Tag = None,
    model: ModelOption = None,
    words: Annotated[str | None, typer.Option("--words", help="In the question.")] = None,
    after: Annotated[UUID | None, typer.Option(help="Those before this one.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List kept answers, newest first."""
    params = {"tag": tag, "model": model, "q": words, "after": None if after is None else str(after), "limit": limit}
    with _client() as client:
        if namespace is not None:
            params["namespace"] = _whole(client, namespace)
        given = {name: value for name, value in params.items() if value is not None}
        page = client.request("GET", f"{PATH}/entries", params=given)
    if as_json:
        typer.echo(json.dumps(page))
        return
    names = (Column(name, no_wrap=True) for name in ("id", "question", "model"))
    table = Table(*names, "tags", "hits", "good/bad", "expires")
    for one in page["data"]:
        question = Text((one["question"] or "(the same request alone)")[:_LABEL])
        judged, tags = f"{one['good']}/{one['bad']}", Text(", ".join(one["tags"]))
        table.add_row(
            one["id"], question, Text(one["model"]), tags, str(one["hits"]), judged, _moment(one["expires_at"])
        )
    out.print(table)
    if page["has_more"]:
        err.print(f"There are more: --after {page['next']}")


@app.command()
def show(entry: Annotated[UUID, typer.Argument(help="As `aico cache entries` shows it.")]) -> None:
    """Print a kept answer, with the job that paid for it and how that was routed."""
    typer.echo(json.dumps(_call("GET", f"/entries/{entry}"), indent=2))


@app.command()
def forget(
    entry: Annotated[UUID | None, typer.Option("--id", help="One entry.")] = None,
    tag: Tag = None,
    namespace: Namespace = None,
    model: ModelOption = None,
    everything: Annotated[bool, typer.Option("--all", help="All that is kept.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --all: do not ask.")] = False,
) -> None:
    """Delete kept answers, by exactly one of the options. They are not served again.

    Exit code 0: done; 1: there is no such entry, or it was called off; 2: the command makes no sense.
    """
    if sum((entry is not None, tag is not None, namespace is not None, model is not None, everything)) != 1:
        raise InvalidInput("give exactly one of --id, --tag, --namespace, --model and --all")
    if everything and not yes:
        if not sys.stdin.isatty():
            raise InvalidInput("--all needs --yes where nobody can be asked")
        if not Confirm.ask("Delete all that the cache keeps?", console=err, default=False):
            err.print("Nothing was deleted.")
            raise typer.Exit(1)
    with _client() as client:
        if entry is not None:
            client.request("DELETE", f"{PATH}/entries/{entry}")
            err.print(f"Deleted {entry}.")
            return
        params: dict[str, Any] = {"all": "true"} if everything else {}
        if namespace is not None:
            params = {"namespace": _whole(client, namespace)}
        params |= {name: value for name, value in (("tag", tag), ("model", model)) if value is not None}
        gone = client.request("DELETE", f"{PATH}/entries", params=params)
    err.print(f"Deleted {gone['entries']} answers.")


@app.command()
def ttl(
    namespace: Annotated[str, typer.Argument(help="Its name, or how that begins.")],
    seconds: Annotated[str, typer.Argument(help=f"How long its answers are kept, or {SERVICE}: as the others.")],
) -> None:
    """Set how long a namespace's answers are kept. Older ones are not served from then on."""
    if seconds != SERVICE and not _SECONDS.fullmatch(seconds):
        raise InvalidInput(f"a lifetime is a number of seconds above 0, or {SERVICE}, not {seconds!r}")
    wanted = None if seconds == SERVICE else int(seconds)
    with _client() as client:
        changed = client.request(
            "PATCH", f"{PATH}/namespaces/{_whole(client, namespace)}", json={"ttl_seconds": wanted}
        )
    lives = "as long as others" if wanted is None else f"for {wanted} s"
    err.print(f"{changed['namespace'][:_SHOWN]} keeps answers {lives}.")


@app.command()
def explain(
    asked: Annotated[str, typer.Argument(help="The new question.")],
    kept: Annotated[str, typer.Argument(help="The one whose answer is kept.")],
    namespace: Namespace = None,
    guards: Annotated[GuardPolicy | None, typer.Option(help="Instead of the tenant's own policy.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say whether the answer to one question would be served for another, and why. Nothing is stored.

    The pair stands alone, as if no other kept question were near. Exit code 0: it would be served; 1: it would not, or
    nobody could say; 2: the command makes no sense.
    """
    if not (asked.strip() and kept.strip()):
        raise InvalidInput("a question must not be empty")
    request: dict[str, Any] = {"asked": asked, "kept": kept}
    with _client() as client:
        if namespace is not None:
            request["namespace"] = _whole(client, namespace)
        if guards is not None:
            request["guards"] = guards.value
        found = client.request("POST", f"{PATH}/explain", json=request)
    if as_json:
        typer.echo(json.dumps(found))
    else:
        show_explanation(found)
    if not found["served"]:
        raise typer.Exit(1)


def _whole(client: Client, beginning: str) -> str:
    """The namespace that begins so. Raises InvalidInput where none does, or several."""
    if not _HEXADECIMAL.fullmatch(beginning):
        raise InvalidInput(f"a namespace is {_DIGITS} hexadecimal digits, or the first of them, not {beginning!r}")
    if len(beginning) == _DIGITS:
        return beginning
    params = {"limit": 2, "after": beginning.ljust(_DIGITS, "0")}
    page = client.request("GET", f"{PATH}/namespaces", params=params)
    found = [one["namespace"] for one in page["data"] if one["namespace"].startswith(beginning)]
    if len(found) != 1:
        raise InvalidInput(f"{'several' if found else 'no'} namespaces begin with {beginning!r}")
    return str(found[0])


def _client() -> Client:
    return Client.from_settings(get_settings())


def _call(method: str, path: str, **options: Any) -> dict[str, Any]:
    with _client() as client:
        return client.request(method, PATH + path, **options)


def _number(value: float | None, otherwise: str) -> str:
    return otherwise if value is None else f"{value:.3g}"


def _moment(text: str) -> str:
    """An ISO 8601 time down to the minute."""
    return text[:16].replace("T", " ")
