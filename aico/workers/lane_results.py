"""What a provider's batch brings back: answers end their jobs, and failed lines are given back for a direct call."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid5

import structlog

from aico.core.attempts import Attempt, AttemptKind, AttemptOutcome, KeySource
from aico.core.chat import Completion
from aico.core.errors import AicoError
from aico.core.usage import Usage
from aico.routing.models import Model
from aico.routing.providers.batches.wire import LaneResult, LineFailure
from aico.store import lanes
from aico.store.claims import Ending
from aico.store.lanes import Asked, FailedLine, HeldBatch
from aico.store.scope import Scope
from aico.workers import traced
from aico.workers.answers import Answers
from aico.workers.finish import finish
from aico.workers.runtime import Runtime, patiently

log = structlog.get_logger()

FAILED = "lane_failed"  # why a job went back, for programs
_NAME = re.compile(r"([0-9a-f]{32})-([0-9]{1,18})")


def line_name(job: UUID, fence: int) -> str:
    """What a job is called in a batch. The fence travels along, so that an answer proves when it was asked for."""
    return f"{job.hex}-{fence}"


def _job_of(name: str) -> tuple[UUID, int] | None:
    found = _NAME.fullmatch(name)
    return None if found is None else (UUID(hex=found[1]), int(found[2]))


class Collector:
    """Of one batch. Everything may be stored again: what it books has the same id each time."""

    def __init__(self, runtime: Runtime, answers: Answers, held: HeldBatch, model: Model) -> None:
        self._runtime = runtime
        self._answers = answers
        self._held = held
        self._model = model

    def store(self, results: Iterable[LaneResult]) -> None:
        """Late answers are booked and change nothing. Raises Unavailable after a long outage of Postgres."""
        named = self._named(results)
        scope = Scope.tenant(self._held.tenant)
        question = lanes.asked(self._held, ((job, fence) for job, (fence, _) in named.items()))
        jobs = patiently(lambda: self._runtime.database.run(scope, question))
        endings, failed = [], []
        for job in jobs:
            outcome = self._judged(job, named[job.id][1])
            if isinstance(outcome, Ending):
                endings.append(outcome)
            elif job.open:
                failed.append(outcome)
        finish(self._runtime, self._held.tenant, _kept_once(endings, jobs))
        if failed:
            give_back = lanes.give_back_lines(self._held, failed, FAILED)
            patiently(lambda: self._runtime.database.run(scope, give_back))

    def _named(self, results: Iterable[LaneResult]) -> Mapping[UUID, tuple[int, Completion | LineFailure]]:
        """By job, with the fence under which it was asked."""
        named = {}
        for result in results:
            job = _job_of(result.custom_id)
            if job is None:
                log.warning("lane_line_unknown")
            else:
                named[job[0]] = job[1], result.outcome
        return named

    def _judged(self, job: Asked, outcome: Completion | LineFailure) -> Ending | FailedLine:
        attempt = self._attempt(job, outcome)
        traced.laned(job, attempt, self._model, outcome if isinstance(outcome, Completion) else None)
        own = {self._held.provider} if self._held.own_account else ()
        if isinstance(outcome, LineFailure):
            return FailedLine(job, outcome.message, attempt)
        try:
            choice = self._answers.choose(job.request, job.policy, job.spent_cents, own, job.grounds)
        except AicoError as error:  # the catalogue has changed so much that nothing would be asked now
            return FailedLine(job, error.detail, attempt)
        ending = self._answers.ending(job, choice, self._model, outcome, [attempt], lane="batch")
        return replace(ending, policy=job.chosen_by or ending.policy)

    def _attempt(self, job: Asked, outcome: Completion | LineFailure) -> Attempt:
        now, model, created = datetime.now(UTC), self._model, self._held.created_at
        failure = outcome if isinstance(outcome, LineFailure) else None
        usage = outcome.usage if isinstance(outcome, Completion) else Usage(batch=True)
        # An answer without any tokens is an answer without a usage report: its cost is unknown, not zero.
        price = self._answers.prices.cost_cents(model.provider, model.id, usage, now) if usage.total > 0 else None
        return Attempt(
            id=uuid5(self._held.id, line_name(job.id, job.fence)),
            at=created,
            kind=AttemptKind.CALL,
            outcome=AttemptOutcome.OK if failure is None else AttemptOutcome(failure.kind.value),
            provider=model.provider,
            model=model.id,
            latency_ms=max(0, int((now - created).total_seconds() * 1000)),
            usage=usage,
            cost_cents=price.cents if price is not None else None,
            price_version=price.version if price is not None else None,
            error=None if failure is None else failure.message,
            key_source=KeySource.TENANT if self._held.own_account else KeySource.OPERATOR,
        )


def _kept_once(endings: Iterable[Ending], jobs: Iterable[Asked]) -> list[Ending]:
    """One answer to the cache for each question: a statement cannot store two under one fingerprint."""
    fingerprints = {job.id: job.fingerprint for job in jobs}
    seen: set[bytes] = set()
    once = []
    for ending in endings:
        repeated = ending.keep and fingerprints[ending.id] in seen
        once.append(replace(ending, keep=False) if repeated else ending)
        if ending.keep:
            seen.add(fingerprints[ending.id])
    return once
