"""How jobs look on a terminal: a table of many, everything about one."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from rich.markup import escape
from rich.table import Column, Table

from aico.cli.queues import age
from aico.cli.show import how

Job = dict[str, Any]  # as the API shows it: what it does not have is left out, or null


def jobs_table(jobs: Iterable[Job], now: datetime) -> Table:
    """One row a job; `left` until its deadline. `now` has a zone."""
    table = Table(
        *(Column("id", no_wrap=True), "status", "class", Column("age", no_wrap=True)),
        *("left", "retries", "model", "error"),
    )
    for job in jobs:
        created = age(max(0.0, (now - _moment(job["created_at"])).total_seconds()))
        texts = (_model(job), (job.get("error") or {}).get("code", ""))
        figures = (job["class"], created, _left(job, now), str(job["retries"]))
        table.add_row(job["id"], state(job), *figures, *map(escape, texts))
    return table


def details(job: Job, now: datetime) -> Table:
    """Two columns, names and values, with only those that the job has."""
    table = Table.grid(Column(style="bold", no_wrap=True), Column(overflow="fold"), padding=(0, 2))
    for name, value in _facts(job, now):
        table.add_row(name, escape(value))
    return table


def _facts(job: Job, now: datetime) -> Iterator[tuple[str, str]]:
    yield "id", job["id"]
    yield "status", state(job)
    yield "class", job["class"]
    yield "model", job["model"]
    yield "created", clock(job["created_at"])
    left = _left(job, now)
    yield "deadline", clock(job["deadline"]) + (f" ({left} left)" if left else "")
    if job.get("finished_at"):
        yield "finished", clock(job["finished_at"])
    for name, value in sorted(job["metadata"].items()):
        yield "metadata", f"{name}={value}"
    yield from ((name.replace("_", " "), job[name]) for name in ("replay_of", "replayed_as") if job.get(name))
    yield "retries", str(job["retries"])
    yield from (("", retry(entry)) for entry in job["history"])
    if job.get("error"):
        yield "error", f"{job['error']['code']}: {job['error']['message']}"
    if job.get("routing"):
        yield "routing", how(job)
        yield from _trust(job["routing"])
        yield "strategy", _strategy(job["routing"])
    if job.get("answer"):
        yield "answer", job["answer"]["text"]


def state(job: Job) -> str:
    """The status, and of a job that has not ended its stage or what it waits for."""
    if not job.get("stage"):
        return str(job["status"])
    if job.get("run_after"):
        return f"{job['status']}, held until {clock(job['run_after'])}"
    if not job["admitted"]:
        return f"{job['status']}, waits for its turn"
    return f"{job['status']}, {job['stage']}"


def retry(entry: dict[str, Any]) -> str:
    """A step of the history: when, why, and until when it was held."""
    held = f"; held until {clock(entry['run_after'])}" if entry.get("run_after") else ""
    return f"{clock(entry['at'])}  {entry['reason']}: {entry['message']}{held}"


def clock(text: str) -> str:
    """An ISO 8601 time in UTC, to the second."""
    return f"{_moment(text).astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _left(job: Job, now: datetime) -> str:
    """Until the deadline, of a job that has not ended."""
    if not job.get("stage"):
        return ""
    seconds = (_moment(job["deadline"]) - now).total_seconds()
    return age(seconds) if seconds > 0 else "none"


def _model(job: Job) -> str:
    """The one that answered, or else the one that was asked for."""
    return str((job.get("routing") or job)["model"])


def _trust(routing: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """How sure a hit by meaning was."""
    if routing.get("cache_score") is None:
        return
    bound = routing.get("error_bound")
    known = "not known yet" if bound is None else f"at most {bound:.2%} by {routing['judged']} judged"
    yield "hit", f"score {routing['cache_score']:.4f}, error {known}, allowed {routing['error_target']:.2%}"


def _strategy(routing: dict[str, Any]) -> str:
    attempts = routing["attempts"]
    reasons = "".join(f", {reason}" for reason in routing["reasons"])
    return f"{routing['strategy']}, {attempts} attempt{'' if attempts == 1 else 's'}{reasons}"
