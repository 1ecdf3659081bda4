"""Puts right what a crash left: lost bells, expired leases, overdue jobs, unbooked events.

Rings for webhooks, batches, provider batches, exports, erasures and learners that are due. Runs beside the workers,
with the feeder in its process, and what gives the cache its indexes where the owner of the tables is known.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import redis
import structlog

from aico.billing.factory import load_gateway
from aico.core.anomaly import find_anomaly
from aico.core.errors import Unavailable
from aico.core.jobs import JobClass
from aico.core.signals import REPEAT_SECONDS, REPEATED
from aico.store import (
    alerts,
    backlog,
    batches,
    cache,
    cache_checks,
    data_requests,
    files,
    flights,
    lanes,
    learner,
    ledger,
    metrics,
    outcomes,
    quotas,
    retention,
    shadow_pairs,
    webhooks,
)
from aico.store.scope import Scope
from aico.workers.billing import Biller
from aico.workers.ended import trace_ended
from aico.workers.experiment_watch import watch_experiments
from aico.workers.feed import Feeder
from aico.workers.index_keeper import IndexKeeper
from aico.workers.queue import (
    Queue,
    to_batch,
    to_calibrate,
    to_compare,
    to_data,
    to_lane,
    to_learn,
    to_notify,
    to_record,
    to_route,
    to_work,
)
from aico.workers.runtime import Heartbeat, Runtime, get_runtime

log = structlog.get_logger()

TICK_SECONDS = 1.0
QUIET_SECONDS = 3.0  # a bell this old is lost if its queue is empty
SILENT_SECONDS = 60.0  # and this old, even if it is not
MAX_LOSSES = 5  # workers that may die over a job before it is given up
BATCH = 500
CHANGES = 5000  # of what caches keep
FILES = 20  # each may have hundreds of chunks
HOUSEKEEPING_TICKS = 60
LANE_LATE_SECONDS = 60.0  # of the time that a direct call has, at least 120
BOOKING = timedelta(minutes=5)  # after the end of an hour, until its attempts are booked
ENOUGH_OUTCOMES = 20  # to be learned from at once
OUTCOMES_WAIT_SECONDS = 30.0  # for others, if there are fewer
PAIRS = 50  # rung at once
LOOK_BACK = timedelta(minutes=10)  # for repetitions, at the start
SETTLED = timedelta(seconds=10)  # until all jobs of a moment can be seen
EPOCH_KEY = "aico:epoch"  # gone when Redis lost its data, and every bell with it


class Sweeper:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._ticks = 0
        self._judged: datetime | None = None  # the latest hour whose spends were looked at
        self._looked = datetime.now(UTC) - LOOK_BACK  # until when repetitions have been looked for

    def run(self, stop: threading.Event) -> None:
        """Sweep once a second until `stop`; an outage of Postgres or Redis is waited for."""
        with Heartbeat(self._runtime, "sweep") as heartbeat:
            while not stop.is_set():
                try:
                    self.sweep()
                    heartbeat.progressed()
                except (Unavailable, redis.RedisError) as error:
                    log.warning("sweep_postponed", error=type(error).__name__)
                stop.wait(TICK_SECONDS)

    def sweep(self) -> None:
        if self._ticks % HOUSEKEEPING_TICKS == 0:
            self._keep_house()
            self.judge_spends(datetime.now(UTC))
            watch_experiments(self._runtime, datetime.now(UTC))
            self.judge_repeats(datetime.now(UTC))
        self._ticks += 1
        self._end_overdue()
        self._hand_over()
        self._ring_again()
        self._book_late()
        self._add_up_caches()
        self._ring_for_deliveries()
        self._ring_for_lanes()
        self._ring_for_batches()
        self._ring_for_data_requests()
        self._ring_for_learners()
        self._ring_for_pairs()
        self._recall_from_lanes()
        self._runtime.database.run(Scope.system(), metrics.tell(limit=BATCH))  # what a recorder died over

    def _keep_house(self) -> None:
        """Make room for what comes, and delete what is kept no longer."""
        database, kept = self._runtime.database, self._runtime.settings.job_retention_days
        database.run(Scope.system(), ledger.ensure_partitions())
        for what, statement in (
            ("answers", cache.purge_expired(BATCH)),
            ("jobs", backlog.purge(kept_days=kept, limit=BATCH)),
            ("deliveries", webhooks.purge(older_than_days=kept, limit=BATCH)),
            ("lane_batches", lanes.purge(kept_days=kept, limit=BATCH)),
            ("batches", batches.purge(kept_days=kept, limit=BATCH)),
            ("ledger_bodies", retention.purge_ledger_bodies(kept_days=kept, limit=BATCH)),
            ("quota_windows", quotas.purge(kept_days=kept, limit=BATCH)),
        ):
            while database.run(Scope.system(), statement) == [BATCH]:
                log.info("old_rows_purged", what=what, count=BATCH)
        self._evict_answers()
        while database.run(Scope.system(), metrics.purge(limit=CHANGES)) == [CHANGES]:
            pass
        while database.run(Scope.system(), files.purge(limit=FILES)) == [FILES]:
            log.info("old_rows_purged", what="files", count=FILES)

    def _evict_answers(self) -> None:
        """Of tenants that keep more than they may. What is counted must be true before more is deleted."""
        settings, evicted = self._runtime.settings, 1
        evict = cache.evict(most=settings.cache_max_entries, most_bytes=settings.cache_max_bytes, limit=BATCH)
        while evicted:
            self._add_up_caches()
            (evicted,) = self._runtime.database.run(Scope.system(), evict)
            if evicted:
                log.info("answers_evicted", count=evicted)

    def _add_up_caches(self) -> None:
        while self._runtime.database.run(Scope.system(), cache.add_up(CHANGES)) == [CHANGES]:
            pass

    def judge_spends(self, now: datetime) -> None:
        """Once an hour: tell tenants whose spend in the hour before is out of the ordinary."""
        hour = (now - BOOKING).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
        if hour == self._judged:
            return
        for spend in self._runtime.database.run(Scope.system(), alerts.spends(hour)):
            anomaly = find_anomaly(spend.cents, spend.earlier)
            if anomaly is not None:
                self._runtime.database.run(
                    Scope.tenant(spend.tenant), alerts.raise_anomaly(spend.tenant, hour, anomaly)
                )
        self._judged = hour

    def judge_repeats(self, now: datetime) -> None:
        """Note the answers after which the same key has asked for another one since this was last looked at."""
        until = now - SETTLED
        if self._runtime.settings.implicit_outcomes:
            statement = outcomes.observe_repeats(self._looked, until, patience_seconds=REPEAT_SECONDS, quality=REPEATED)
            self._runtime.database.run(Scope.system(), statement)
        self._looked = until

    def _end_overdue(self) -> None:
        ended = self._runtime.database.run(Scope.system(), backlog.end_overdue(max_losses=MAX_LOSSES, limit=BATCH))
        if ended:
            log.info("jobs_overdue", count=len(ended))
            jobs = [one.id for one in ended]
            self._runtime.tell(ended=jobs)
            trace_ended(self._runtime, {one.tenant for one in ended}, jobs)

    def _hand_over(self) -> None:
        """Followers whose leader is gone, whatever became of it."""
        found = self._runtime.database.run(Scope.system(), flights.stranded())
        if found:
            log.info("flights_handed_over", count=len(found))
            self._runtime.tell(bells=[to_route(one.tenant, one.next.id, one.next.job_class) for one in found])

    def _ring_again(self) -> None:
        emptied = self._runtime.redis.set(EPOCH_KEY, str(uuid4()), nx=True)
        quiet, silent = (0.0, 0.0) if emptied else (QUIET_SECONDS, SILENT_SECONDS)
        idle = self._idle_classes()
        as_of = None
        while True:
            statement = backlog.lost_bells(idle, quiet_seconds=quiet, silent_seconds=silent, limit=BATCH, as_of=as_of)
            late = self._runtime.database.run(Scope.system(), statement)
            if late:
                log.info("bells_rung_again", count=len(late))
                found = [lost.job for lost in late]
                self._runtime.tell(bells=[to_work(job.tenant, job.id, job.stage, job.job_class) for job in found])
                as_of = as_of or late[0].rung_at
            if len(late) < BATCH:  # each class and the expired leases give up to a batch
                return

    def _idle_classes(self) -> list[JobClass]:
        """Classes of which no message waits, neither for embedding nor for routing."""
        with self._runtime.redis.pipeline(transaction=False) as pipe:
            pipe.llen(Queue.EMBED.value)
            for job_class in JobClass:
                pipe.llen(job_class.value)
            embedding, *routing = pipe.execute()
        if embedding:
            return []
        return [job_class for job_class, waiting in zip(JobClass, routing, strict=True) if not waiting]

    def _book_late(self) -> None:
        late = self._runtime.database.run(Scope.system(), ledger.late(quiet_seconds=QUIET_SECONDS * 2, limit=BATCH))
        self._runtime.tell(bells=[to_record(event.tenant, event.job) for event in late])

    def _ring_for_deliveries(self) -> None:
        busy = self._runtime.redis.llen(Queue.NOTIFY.value)
        statement = webhooks.due(quiet_seconds=SILENT_SECONDS if busy else QUIET_SECONDS, limit=BATCH)
        due = self._runtime.database.run(Scope.system(), statement)
        self._runtime.tell(bells=[to_notify(one.tenant, one.delivery) for one in due])

    def _ring_for_lanes(self) -> None:
        if self._runtime.redis.llen(Queue.LANE.value):
            return  # what waits there is due anyway
        due = self._runtime.database.run(Scope.system(), lanes.due(limit=BATCH))
        self._runtime.tell(bells=[to_lane(one.tenant, one.batch) for one in due])

    def _ring_for_batches(self) -> None:
        if self._runtime.redis.llen(Queue.LINES.value):
            return
        due = self._runtime.database.run(Scope.system(), batches.due(limit=BATCH))
        self._runtime.tell(bells=[to_batch(one.tenant, one.batch) for one in due])

    def _ring_for_data_requests(self) -> None:
        if self._runtime.redis.llen(Queue.DATA.value):
            return
        due = self._runtime.database.run(Scope.system(), data_requests.due(limit=BATCH))
        self._runtime.tell(bells=[to_data(one.tenant, one.request) for one in due])

    def _ring_for_learners(self) -> None:
        if self._runtime.redis.llen(Queue.LEARN.value):
            return
        due = learner.due(enough=ENOUGH_OUTCOMES, patience_seconds=OUTCOMES_WAIT_SECONDS, limit=BATCH)
        tenants = self._runtime.database.run(Scope.system(), due)
        calibrate = self._runtime.database.run(Scope.system(), cache_checks.due(limit=BATCH))
        bells = [to_learn(tenant) for tenant in tenants]
        self._runtime.tell(bells=[*bells, *(to_calibrate(one.tenant, one.job) for one in calibrate)])

    def _ring_for_pairs(self) -> None:
        if self._runtime.redis.llen(Queue.COMPARE.value):
            return
        self._runtime.database.run(Scope.system(), cache_checks.take_on(limit=BATCH))
        due = self._runtime.database.run(Scope.system(), shadow_pairs.due(limit=PAIRS))
        self._runtime.tell(bells=[to_compare(one.tenant, one.job) for one in due])

    def _recall_from_lanes(self) -> None:
        recall = lanes.recall(late_seconds=LANE_LATE_SECONDS, limit=BATCH)
        (recalled,) = self._runtime.database.run(Scope.system(), recall)
        if recalled:
            log.warning("jobs_recalled_from_lanes", count=recalled)


def main(stop: threading.Event) -> None:
    """Sweep, feed, bill and index until `stop`. If one dies of something unforeseen, so does the process."""
    runtime = get_runtime()
    beside = [Feeder(runtime).run]
    gateway = load_gateway(runtime.settings)
    if gateway is not None:
        beside.append(Biller(runtime.database, gateway, runtime.settings).run)
    admin_url = runtime.settings.database_admin_url
    if admin_url is not None:
        keeper = IndexKeeper(admin_url.get_secret_value(), least_rows=runtime.settings.cache_index_rows)
        beside.append(keeper.run)
    with ThreadPoolExecutor(len(beside), thread_name_prefix="beside") as pool:
        running = [pool.submit(run, stop) for run in beside]
        for one in running:
            one.add_done_callback(lambda done: stop.set() if done.exception() else None)  # what gave up is not missed
        try:
            Sweeper(runtime).run(stop)
        finally:
            stop.set()
        for one in running:
            one.result()
