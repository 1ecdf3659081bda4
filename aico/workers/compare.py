"""Has a model answer beside the caller, and a judge compare two answers. Nobody waits for it, and no caller sees it.

Runs in the route worker, after all jobs. Each call is noted before it is made and booked with what it gave, so that a
pair goes on where its last worker left it.
"""

import threading
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import cache, partial
from typing import Any, TypeVar
from uuid import UUID

import structlog

from aico.core.attempts import Attempt, AttemptKind, AttemptOutcome
from aico.core.chat import ChatRequest, Completion, FinishReason
from aico.routing.catalogue import Catalogue
from aico.routing.models import Model
from aico.routing.no_answer import AllCandidatesFailed, Cancelled, Held
from aico.store import shadow_pairs
from aico.store.scope import Scope
from aico.store.shadow_pairs import Ended, Gain, HeldPair, PairCall, Room
from aico.store.statement import Statement
from aico.workers import traced
from aico.workers.app import app
from aico.workers.comparer import Comparer, Plan, booked_as
from aico.workers.pacing import RedisPacer
from aico.workers.purposes import WORK, NotCompared, Turn
from aico.workers.queue import TaskName, to_calibrate, to_record
from aico.workers.renewal import renewing
from aico.workers.runtime import Runtime, get_runtime, patiently

log = structlog.get_logger()
T = TypeVar("T")

LEASE_SECONDS = 15.0
MAX_TRIES = 3
PAUSES = (30.0, 300.0)  # seconds, after the first failure and the second
BUSY_SECONDS = 20.0  # until others have given back what they put aside
LONGEST_SECONDS = 3600.0  # that a pair waits for room; else those that find none would pile up
_stopping = threading.Event()


@cache
def comparer() -> Comparer:
    runtime = get_runtime()
    return Comparer(runtime.settings, RedisPacer(runtime.redis, Catalogue.from_settings(runtime.settings).limits))


@app.task(name=TaskName.COMPARE.value)
def compare(tenant_id: str, job_id: str) -> None:
    """Does nothing when it is not due or somebody else is at it: a bell may ring twice."""
    work_on(get_runtime(), comparer(), UUID(tenant_id), UUID(job_id))


def work_on(runtime: Runtime, by: Comparer, tenant: UUID, job: UUID) -> None:
    claim = shadow_pairs.claim(tenant, job, LEASE_SECONDS)
    for held in patiently(lambda: runtime.database.run(Scope.tenant(tenant), claim)):
        renew = partial(shadow_pairs.renew, held)
        with traced.comparing(held), renewing(runtime, tenant, LEASE_SECONDS, renew):
            _Comparison(runtime, by, held).run()


def wind_down() -> None:
    """Break off what is being compared; whoever takes it on next goes on with what there is."""
    _stopping.set()


class _ClaimLost(Exception):
    """Somebody else goes on with it, or the job is gone."""


class _FailedTry(Exception):
    """May go better later. `reason` is why the pair is dropped if it does not."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Later(Exception):
    def __init__(self, seconds: float, reserved: str | None = None) -> None:
        super().__init__(f"later: {seconds} s")
        self.seconds = seconds
        self.reserved = reserved


class _Comparison:
    """One holder's work on a pair."""

    def __init__(self, runtime: Runtime, by: Comparer, held: HeldPair) -> None:
        self._runtime = runtime
        self._by = by
        self._held = held
        self._work = WORK[held.purpose]

    def run(self) -> None:
        try:
            self._account()
            finish = self._compare()
        except _ClaimLost:
            self._say("pair_left")
        except NotCompared as error:
            self._drop(error.reason)
        except _FailedTry as error:
            if self._held.tries >= MAX_TRIES:
                self._drop(error.reason)
            else:
                self._postpone(PAUSES[self._held.tries - 1])
        except _Later as later:
            if self._held.age_seconds < LONGEST_SECONDS:
                self._postpone(later.seconds, later.reserved)
            else:
                self._drop("no_room")
        else:
            for ended in self._run(finish):
                self._say("pair_judged", result=ended.result)
                if ended.namespace is not None:
                    self._runtime.tell(bells=[to_calibrate(self._held.tenant, self._held.job)])

    def _account(self) -> None:
        """Book the call of a worker that died over it, before another is made: we may die over it too."""
        call = self._held.interrupted
        if call is None:
            return
        lost = Attempt(
            **call.model_dump(include={"id", "at", "kind", "provider", "model", "key_source"}),
            outcome=AttemptOutcome.LOST,
            latency_ms=0,
            cost_cents=call.cents,
            price_version="estimate",
            error="the worker that made the call died",
        )
        self._book(lost, Gain(failed=True))
        if self._held.tries >= MAX_TRIES:
            raise NotCompared("workers_lost")

    def _compare(self) -> Statement[Ended]:
        plan = self._by.plan(self._held)
        self._put_aside(plan)
        if self._held.answer is None:
            self._answer(plan)
        for turn in self._work.turns(self._held):
            self._judge(plan, turn)
        return self._work.finish(self._held)

    def _put_aside(self, plan: Plan) -> None:
        cents = plan.cents_left(self._held)
        if cents:
            self._hold(cents, plan)
        self._run(shadow_pairs.plan(self._held, plan.rival.id, plan.judge.id))

    def _hold(self, cents: Decimal, plan: Plan) -> None:
        (room,) = self._run(
            shadow_pairs.hold(
                self._held,
                cents,
                tenant_budget=plan.comparing.daily_cents,
                service_budget=self._runtime.settings.judge_service_budget_cents,
            )
        )
        if room is None:
            raise _ClaimLost
        if room is Room.SPENT:
            raise NotCompared("budget_spent")
        if room is Room.BUSY:
            raise _Later(BUSY_SECONDS)

    def _answer(self, plan: Plan) -> None:
        call = self._by.call(self._held, plan, AttemptKind.SHADOW)
        attempt, said = self._call(call, plan.rival, plan.question)
        whole = said.finish_reason is FinishReason.STOP and not said.refused and not said.tool_calls
        self._book(attempt, Gain(answer=said.text if whole and said.text.strip() else None))
        if self._held.answer is None:
            raise NotCompared("rival_not_whole")

    def _judge(self, plan: Plan, turn: Turn) -> None:
        call = self._by.call(self._held, plan, AttemptKind.JUDGE)
        attempt, said = self._call(call, plan.judge, self._work.asks(plan.judge, self._held, turn))
        gain = self._work.hears(said.text, turn)
        if gain is not None:
            traced.judged(self._held.purpose, gain.first_verdict or gain.second_verdict)
        self._book(attempt, gain or Gain(failed=True))
        if gain is None:
            raise _FailedTry("no_verdict")

    def _call(self, call: PairCall, model: Model, request: ChatRequest) -> tuple[Attempt, Completion]:
        """The attempt, not booked yet, and what was said. What failed is booked."""
        if not self._run(shadow_pairs.note(self._held, call)):
            raise _ClaimLost
        made: list[Attempt] = []
        try:
            said = self._by.ask(self._held, model, request, made.append, _stopping.is_set)
        except AllCandidatesFailed as error:
            for attempt in made:
                self._book(booked_as(call, attempt), Gain(failed=True))
            if not made:
                raise _Later(PAUSES[0]) from error  # its rate limit has no place
            raise _FailedTry("provider_failed") from error
        except Held as wait:
            raise _Later(wait.seconds, wait.place) from wait
        except Cancelled as stopped:
            for attempt in made:
                self._book(booked_as(call, attempt), Gain())
            raise _Later(0.0) from stopped
        return booked_as(call, made[-1]), said

    def _book(self, attempt: Attempt, gain: Gain) -> None:
        held = self._held
        still_ours = self._run(shadow_pairs.book(held, attempt, gain))
        self._runtime.tell(bells=[to_record(held.tenant, held.job)])
        if still_ours != [True]:
            raise _ClaimLost
        self._held = replace(
            held,
            answer=gain.answer or held.answer,
            first_verdict=gain.first_verdict or held.first_verdict,
            second_verdict=gain.second_verdict or held.second_verdict,
            tries=held.tries + gain.failed,
        )

    def _postpone(self, seconds: float, reserved: str | None = None) -> None:
        self._run(shadow_pairs.postpone(self._held, seconds, reserved))
        self._say("pair_postponed", seconds=seconds)

    def _drop(self, reason: str) -> None:
        self._run(self._work.drop(self._held, reason))
        self._say("pair_dropped", reason=reason)

    def _say(self, what: str, **more: Any) -> None:
        log.info(what, purpose=self._held.purpose.value, **more)

    def _run(self, statement: Statement[T]) -> list[T]:
        run: Callable[[], list[T]] = partial(self._runtime.database.run, Scope.tenant(self._held.tenant), statement)
        return patiently(run)
