"""What became of every prompt, held against what its provider, its receiver and the database's owner saw."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from conftest import Tenant
from faults.budgets import off_the_ledger
from faults.load import Load
from faults.plan import Noted, Step
from faults.provider import MODELS, Call, Outcome, answer_to
from faults.world import World

_PAGE = 100
FINAL = {"completed", "failed", "expired", "cancelled", "incomplete"}


@dataclass(frozen=True)
class Findings:
    """Prompts stand by their numbers."""

    accepted: int
    statuses: Counter[str]  # of the accepted jobs
    called_again: Counter[str]  # calls after one that was not answered, by how the provider behaved then
    called_twice: dict[int, str | None]  # whose answer was paid for again: the fault that explains it
    lost_calls: Counter[str]  # attempts booked as lost, by model
    lost: list[int]  # the job is not there or has not ended
    accepted_twice: list[int]
    wrong_answers: list[int]
    unbooked: dict[int, str]  # more calls at the provider than attempts in the ledger
    unmet: dict[int, str]  # attempts in the ledger that neither met the provider nor say why not
    unknown_calls: list[int]  # the database knew of the call when its worker was killed, but it was booked without
    untold: list[UUID]  # ended jobs of which the receiver never heard, or heard wrong
    off_the_ledger: list[str]  # what quotas counted otherwise than it was booked, or still reserve

    @property
    def broken_promises(self) -> dict[str, object]:
        """Empty where all were kept."""
        broken = {
            "lost": self.lost,
            "not completed": sorted(self.statuses - Counter({"completed": self.accepted})),
            "accepted twice": self.accepted_twice,
            "wrong answers": self.wrong_answers,
            "calls that were not booked": self.unbooked,
            "attempts without a call": self.unmet,
            "lost calls booked without their model": self.unknown_calls,
            "called twice without a reason": [n for n, reason in self.called_twice.items() if reason is None],
            "endings not told": self.untold,
            "quotas off the ledger": self.off_the_ledger,
        }
        return {promise: examples for promise, examples in broken.items() if examples}


@dataclass(frozen=True)
class Booked:
    model: str
    outcome: str
    http_status: int | None


def audit(world: World, load: Load, tenants: Sequence[Tenant], steps: Sequence[Step], noted: Noted) -> Findings:
    """To be made when nothing is under way any more."""
    shown = jobs_shown(world, tenants[0])
    rows = {row["id"]: row for row in world.ask("select id, tenant_id, status, metadata ->> 'number' as n from jobs")}
    ended = {number: shown.get(job) for number, job in load.accepted.items()}
    numbers = {row["id"]: int(row["n"]) for row in rows.values() if row["tenant_id"] == tenants[0].id}
    calls = _by_prompt(call for call in world.provider.calls if call.prompt in ended)
    booked = _booked(world, numbers)
    return Findings(
        accepted=len(ended),
        statuses=Counter(job["status"] for job in ended.values() if job is not None),
        lost=[n for n, job in ended.items() if job is None or not _ended_alike(job, rows)],
        accepted_twice=[n for n, jobs in Counter(numbers.values()).items() if jobs > 1],
        wrong_answers=[n for n, job in ended.items() if job is not None and not _right(n, job)],
        unbooked={n: _story(made, booked[n]) for n, made in calls.items() if len(made) > len(booked[n])},
        unmet={
            n: _story(calls[n], attempts)
            for n, attempts in booked.items()
            if len(attempts) - len(calls[n]) > _not_met(attempts)
        },
        called_again=Counter(call.behaviour.value for made in calls.values() for call in _failed(made)),
        called_twice={n: _explained(made, steps) for n, made in calls.items() if len(_answered(made)) > 1},
        lost_calls=Counter(one.model for attempts in booked.values() for one in attempts if one.outcome == "lost"),
        unknown_calls=[n for n, kills in noted.kills.items() if sum(map(_known_loss, booked[n])) < kills],
        off_the_ledger=off_the_ledger(world, tenants),
        untold=[job for job, row in rows.items() if world.receiver.status.get(str(job)) != row["status"]],
    )


def jobs_shown(world: World, tenant: Tenant) -> dict[str, Mapping[str, Any]]:
    """All the tenant's jobs as the API lists them."""
    shown: dict[str, Mapping[str, Any]] = {}
    after: str | None = None
    with world.client(tenant) as client:
        while True:
            query = {"limit": _PAGE, **({"after": after} if after else {})}
            page = client.request("GET", "/v1/jobs", params=query)
            shown |= {job["id"]: job for job in page["data"]}
            if not page["has_more"]:
                return shown
            after = page["next"]


def _booked(world: World, numbers: Mapping[UUID, int]) -> defaultdict[int, list[Booked]]:
    booked: defaultdict[int, list[Booked]] = defaultdict(list)
    query = "select job_id, model, outcome, http_status from ledger_attempts where kind = 'call'"
    for row in world.ask(query):
        if (number := numbers.get(row.pop("job_id"))) is not None:
            booked[number].append(Booked(**row))
    return booked


def _by_prompt(calls: Iterable[Call]) -> defaultdict[int, list[Call]]:
    made: defaultdict[int, list[Call]] = defaultdict(list)
    for call in calls:
        made[call.prompt].append(call)
    return made


def _ended_alike(job: Mapping[str, Any], rows: Mapping[UUID, Mapping[str, Any]]) -> bool:
    row = rows.get(UUID(job["id"]))
    return row is not None and job["status"] in FINAL and row["status"] == job["status"]


def _right(number: int, job: Mapping[str, Any]) -> bool:
    """A job that was called for has its own answer; one that was found by meaning has somebody's."""
    if job["status"] != "completed" or job["routing"]["cache"] == "semantic":
        return True
    return bool(job["answer"]["text"] == answer_to(number))


def _not_met(attempts: Iterable[Booked]) -> int:
    """Attempts that need not have met the provider: they broke before there was a status, or were lost."""
    return sum(one.outcome == "lost" or (one.outcome == "retryable" and one.http_status is None) for one in attempts)


def _known_loss(attempt: Booked) -> bool:
    return attempt.outcome == "lost" and attempt.model in MODELS


def _story(calls: Iterable[Call], attempts: Iterable[Booked]) -> str:
    called = ", ".join(f"{call.model} {call.behaviour.value}: {call.outcome.value}" for call in calls)
    return f"called: {called}; booked: {', '.join(f'{one.model} {one.outcome}' for one in attempts)}"


def _answered(calls: Iterable[Call]) -> list[Call]:
    return [call for call in calls if call.outcome is Outcome.ANSWERED]


def _failed(calls: Sequence[Call]) -> list[Call]:
    return [call for call in calls[:-1] if call.outcome is not Outcome.ANSWERED]


def _explained(calls: Sequence[Call], steps: Sequence[Step]) -> str | None:
    first, *_, last = _answered(calls)
    return next((one.fault.name for one in steps if one.fault.repeats and one.touches(first.at, last.at)), None)
