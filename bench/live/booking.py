"""Rows for the ledger, at a steady pace: jobs that workers hold, ended with the product's own statement and bell."""

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import psycopg
import redis

from aico.core.attempts import Attempt, AttemptKind, AttemptOutcome, Baseline, Policy
from aico.core.chat import FinishReason
from aico.core.ids import new_id
from aico.core.jobs import Answer, CacheState, JobStatus, RoutingReport
from aico.core.usage import Usage
from aico.store import claims
from aico.store.blocking import Database
from aico.store.claims import Ending
from aico.store.scope import Scope
from aico.workers.queue import pushes, to_record
from bench.live.figures import Commit

MOST_TOGETHER = 25  # jobs that end with one statement
_STATEMENTS = 20  # a second, at least; fewer where there are fewer jobs
_FENCE = 1
_TTL_SECONDS = 3600.0
_HELD = """
insert into public.jobs (id, tenant_id, status, stage, class, cache_mode, request, namespace, fingerprint, deadline,
  bell_at, fence, lease_until, tags)
select u.id, %s, 'in_progress', 'route', 'interactive', 'off', '{}', '', '', now() + interval '1 hour', now(), %s,
  now() + interval '1 hour', case when u.n %% 2 = 0 then array['team:' || u.n %% 7] else '{}' end
from unnest(%s::uuid[]) with ordinality as u (id, n)
"""


def hold_jobs(admin: psycopg.Connection, tenant: UUID, count: int) -> list[UUID]:
    """Jobs as a worker holds them that has asked a provider; half of them tagged, with seven tags in all."""
    jobs = [new_id() for _ in range(count)]
    admin.execute(_HELD, (tenant, _FENCE, jobs))
    return jobs


def ending(job: UUID, number: int, moment: datetime) -> Ending:
    """A job that is answered at `moment`: by one of four models, chosen by one of two strategies."""
    latency = 40 + number % 1000
    strategy, model = ("complexity", "cascade")[number % 2], f"model-{number % 4}"
    attempt = Attempt(
        id=new_id(),
        at=moment - timedelta(milliseconds=latency),
        kind=AttemptKind.CALL,
        outcome=AttemptOutcome.OK,
        provider="bench",
        model=model,
        latency_ms=latency,
        usage=Usage(input_uncached=500, output=200),
        cost_cents=Decimal("0.35"),
    )
    return Ending(
        job,
        _FENCE,
        JobStatus.COMPLETED,
        answer=Answer(text="A lantern.", finish_reason=FinishReason.STOP, input_tokens=500, output_tokens=200),
        routing=RoutingReport(
            provider="bench", model=model, strategy=strategy, cache=CacheState.MISS, cost_cents="0.35"
        ),
        attempts=(attempt,),
        baseline=Baseline(model="large", cost_cents=Decimal("1.5")),
        policy=Policy(strategy=strategy),
    )


def together(rate: float) -> int:
    """How many jobs of a tenant end with one statement, where so many a second do."""
    return min(max(int(rate / _STATEMENTS), 1), MOST_TOGETHER)


class Booker(threading.Thread):
    """Ends the jobs of one tenant, `rate` a second, until there are none. Where it is behind it does not wait."""

    def __init__(
        self, tenant: UUID, jobs: Sequence[UUID], rate: float, database: Database, broker: redis.Redis
    ) -> None:
        super().__init__(name=f"booker-{tenant}", daemon=True)
        self.commits: list[Commit] = []
        self.tenant = tenant
        self._failure: Exception | None = None
        self._jobs, self._rate = jobs, rate
        self._database, self._broker = database, broker

    @property
    def rows(self) -> int:
        """Accepted so far."""
        return sum(commit.rows for commit in list(self.commits))

    def check(self) -> None:
        """Raises what ended it before its time."""
        if self._failure is not None:
            raise self._failure

    def run(self) -> None:
        begun, size = time.monotonic(), together(self._rate)
        try:
            for first in range(0, len(self._jobs), size):
                time.sleep(max(begun + first / self._rate - time.monotonic(), 0))
                self._end(self._jobs[first : first + size], first)
        except Exception as error:  # noqa: BLE001 - the main thread raises it
            self._failure = error

    def _end(self, jobs: Sequence[UUID], first: int) -> None:
        moment = datetime.now(UTC)
        endings = [ending(job, first + place, moment) for place, job in enumerate(jobs)]
        self._database.run(Scope.tenant(self.tenant), claims.finish(self.tenant, endings, _TTL_SECONDS))
        self.commits.append(Commit(int(moment.timestamp()), len(jobs), time.time()))
        for queue, messages in pushes(to_record(self.tenant, job) for job in jobs).items():
            self._broker.lpush(queue, *messages)
