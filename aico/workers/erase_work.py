"""Erases what a tenant asked for, step by step. A step that was cut off is taken again from the page that it reached.

Jobs go first: whoever works on one is shut out by that, and an answer that comes later is stored nowhere.
"""

import time
from collections.abc import Iterable, Sequence
from typing import Any

import redis
import structlog

from aico.core.data_rights import ErasureScope, receipt_digest
from aico.store import data_requests, erasures
from aico.store.data_requests import HeldRequest
from aico.store.erasures import Erased, Walked
from aico.store.scope import Scope
from aico.store.statement import Statement
from aico.workers import said
from aico.workers.runtime import Runtime, patiently

log = structlog.get_logger()

PAGE = 500
FILES = 20  # each may have hundreds of chunks
WAIT_SECONDS = 2.0  # for a batch that is being cancelled
NOTICE_SECONDS = 1.0  # for workers to notice that their job is gone: until then one may publish more of an answer

_BATCHES, _CACHE, _JOBS, _LEARNER = "end batches", "cache_entries", "jobs", "stop learner"
_LEDGER, _LEFTOVERS, _PAIRS, _TAGS = "ledger", "leftovers", "shadow_pairs", "metric_rollups"
# The cache before the jobs, so that nothing more is copied from it; both again for what ended in between.
EVERYTHING = (
    *(_BATCHES, _CACHE, _PAIRS, _JOBS, _CACHE, _PAIRS, _JOBS),
    "cache_namespaces",
    *("idempotency_keys", "feedback", "outcomes", "assignments"),
    *("decisions", _LEARNER, "learner_solutions"),
    *("webhook_deliveries", "batch_faults", "batches", "data_requests", "files", _TAGS, _LEDGER, _LEFTOVERS),
)
CHOSEN = (_CACHE, _JOBS, _TAGS)


class _ClaimLost(Exception):
    """Somebody else goes on with it."""


class Erasure:
    """One holder's work on a request."""

    def __init__(self, runtime: Runtime, held: HeldRequest) -> None:
        self._runtime = runtime
        self._held = held
        self._scope = ErasureScope.model_validate(held.scope)
        self._running: list[Erased] = []  # jobs that had not ended when they were deleted

    def run(self) -> bool:
        """All that is left; False where it has to wait, or somebody else has taken it over."""
        steps = EVERYTHING if self._scope.everything else CHOSEN
        after = self._held.after
        try:
            for number in range(self._held.step, len(steps)):
                if not self._step(steps[number], after):
                    return False
                self._reach(number + 1, after := "")
            return self._complete()
        except _ClaimLost:
            log.warning("erasure_left")
            return False

    def _step(self, step: str, after: str) -> bool:
        if not self._scope.everything and step == _TAGS:
            if self._scope.tag is not None:
                self._delete(step)
        elif not self._scope.everything:
            return self._walk(after, answers_only=step == _CACHE)
        elif step == _BATCHES:
            self._run(erasures.end_batches(self._held))
        elif step == _LEARNER:
            self._together(erasures.stop_learner(self._held))
        elif step == _LEDGER:
            self._strip_ledger(after)
        elif step == _LEFTOVERS:
            self._together(erasures.leftovers(self._held))
        else:
            self._delete(step)
        return True

    def _delete(self, noun: str) -> None:
        limit = FILES if noun == "files" else PAGE
        while True:
            found = self._run(erasures.rows(self._held, noun, limit=limit))
            self._forget([job for job in found if job is not None])
            if len(found) < limit:
                return

    def _strip_ledger(self, after: str) -> None:
        reached: str | None = after
        while reached is not None:
            found = self._together(erasures.ledger_page(self._held, reached, limit=PAGE))[-1]
            if not found:
                raise _ClaimLost
            reached = found[0]

    def _walk(self, after: str, *, answers_only: bool) -> bool:
        """Past all of the tenant's jobs, oldest first. False: a batch has to end before its files can be deleted."""
        scope, number = self._scope, CHOSEN.index(_CACHE if answers_only else _JOBS)
        while True:
            walked: list[Walked] = self._run(
                erasures.pick(self._held, after, tag=scope.tag, job_ids=scope.job_ids, before=scope.before, limit=PAGE)
            )
            if not walked:
                return True
            chosen = [one for one in walked if one.chosen]
            if answers_only:
                self._run(erasures.answers_of(self._held, [one.job.id for one in chosen]))
            elif not self._erase(chosen):
                return False
            after = str(walked[-1].job.id)
            self._reach(number, after)

    def _erase(self, chosen: Sequence[Walked]) -> bool:
        waiting = {one.batch for one in chosen if one.batch is not None and one.batch_open}
        now = [one for one in chosen if one.batch not in waiting]
        if now:
            jobs = {one.job.id: one.job for one in now}
            jobs |= {copy.id: copy for copy in self._run(erasures.copies(self._held, list(jobs)))}
            batches = {one.batch for one in now if one.batch is not None}
            namespaces = {one.namespace for one in now}
            self._together(erasures.of_jobs(self._held, list(jobs), list(batches), list(namespaces)))
            self._forget(jobs.values())
        if waiting:
            self._run(erasures.stop_batches(self._held, list(waiting)))
            self._run(data_requests.postpone(self._held, WAIT_SECONDS))
        return not waiting

    def _forget(self, jobs: Iterable[Erased]) -> None:
        """Stop who works on them, wake who waits for them, and drop the text that is kept for readers of streams."""
        gone = list(jobs)
        running = [job for job in gone if job.running]
        self._running += running
        ids = [job.id for job in running]
        self._runtime.tell(ended=ids, cancelled=ids)
        self._drop_streams(gone)

    def _drop_streams(self, jobs: Sequence[Erased]) -> None:
        keys = [said.key(job.id, generation) for job in jobs for generation in range(job.fence + 1)]
        try:
            for start in range(0, len(keys), PAGE):
                self._runtime.redis.delete(*keys[start : start + PAGE])
        except redis.RedisError as error:  # they expire within the hour
            log.warning("streams_not_dropped", error=type(error).__name__, count=len(keys))

    def _complete(self) -> bool:
        if self._running:
            time.sleep(NOTICE_SECONDS)
            self._drop_streams(self._running)
        held = self._held
        (counted,) = self._run(erasures.counts(held))
        digest = receipt_digest(held.tenant, held.id, held.scope, counted.counts, held.started_at, counted.requested_by)
        if not self._run(erasures.complete(held, digest)):
            raise _ClaimLost
        log.info("erasure_completed")
        return True

    def _reach(self, step: int, after: str) -> None:
        if not self._run(erasures.reach(self._held, step, after)):
            raise _ClaimLost

    def _run(self, statement: Statement[Any]) -> list[Any]:
        return self._together([statement])[0]

    def _together(self, statements: Sequence[Statement[Any]]) -> list[list[Any]]:
        scope = Scope.tenant(self._held.tenant)
        return patiently(lambda: self._runtime.database.run_each([(scope, statement) for statement in statements]))
