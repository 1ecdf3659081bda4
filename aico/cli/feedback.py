"""Judgements of answers from the command line."""

import json
from typing import Annotated, Any

import typer

from aico.cli.client import Client
from aico.cli.options import AsJson
from aico.cli.show import err
from aico.core.errors import InvalidInput
from aico.core.settings import get_settings


def feedback(
    job_id: Annotated[str, typer.Argument(help="The job's id.")],
    *,
    good: Annotated[bool, typer.Option("--good", help="The answer is right.")] = False,
    bad: Annotated[bool, typer.Option("--bad", help="The answer is of no use.")] = False,
    score: Annotated[float | None, typer.Option(min=0, max=1, help="Or how good, from 0 to 1.")] = None,
    comment: Annotated[str | None, typer.Option(help="Why.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say how good a job's answer was. A later judgement replaces an earlier one.

    Exit code 0: kept; 1: there is no such answer; 2: the command makes no sense.
    """
    said = _judgement(good=good, bad=bad, score=score)
    request = {"job_id": job_id, **said, **({} if comment is None else {"comment": comment})}
    with Client.from_settings(get_settings()) as client:
        kept = client.request("POST", "/v1/feedback", json=request)
    if as_json:
        typer.echo(json.dumps(kept))
    else:
        err.print(f"kept: {kept['score']:g}")


def _judgement(*, good: bool, bad: bool, score: float | None) -> dict[str, Any]:
    """Raises InvalidInput unless there is exactly one."""
    if good + bad + (score is not None) != 1:
        raise InvalidInput("give one of --good, --bad and --score")
    if score is not None:
        return {"score": score}
    return {"thumb": "up" if good else "down"}
