"""The only ways in which a worker lets go of jobs: it ends them, or puts them back."""

from collections.abc import Sequence
from uuid import UUID

from aico.store import claims, flights
from aico.store.claims import Ending, PutBack
from aico.store.scope import Scope
from aico.workers.ended import trace_ended
from aico.workers.queue import to_notify, to_record, to_route
from aico.workers.runtime import Runtime, patiently


def finish(runtime: Runtime, tenant: UUID, endings: Sequence[Ending]) -> list[UUID]:
    """Store the endings, wake who waits, ring the recorder and the notifier.

    Returns the jobs that ended here, with those that followed one of them. Those that had already ended, or that a
    newer claim holds, are left alone.

    Their attempts are booked all the same: the money is spent.
    """
    if not endings:
        return []
    statement = claims.finish(tenant, endings, runtime.settings.cache_ttl_seconds)
    ended = patiently(lambda: runtime.database.run(Scope.tenant(tenant), statement))
    ids = [job.id for job in ended]
    unbooked = {ending.id for ending in endings if not ending.attempts}
    booked = {*ids, *(ending.id for ending in endings)} - unbooked
    record = [to_record(tenant, job) for job in booked]
    notify = [to_notify(tenant, delivery) for job in ended for delivery in job.deliveries]
    lead = [to_route(tenant, one.id, one.job_class) for job in ended for one in job.next]
    runtime.tell(bells=[*record, *notify, *lead], ended=ids)
    trace_ended(runtime, [tenant], ids)
    return ids


def hand_over(runtime: Runtime, tenant: UUID, job: UUID) -> None:
    """Have another job lead those who cannot wait for this one any more; where that fails the sweeper does it."""
    found = patiently(lambda: runtime.database.run(Scope.tenant(tenant), flights.hand_over(tenant, job)))
    runtime.tell(bells=[to_route(tenant, one.id, one.job_class) for one in found])


def put_back(runtime: Runtime, put: PutBack) -> None:
    """Store that the job is answered later: at once, then its bell rings now, or when the feeder finds it due."""
    tenant = put.claim.tenant
    statement = claims.put_back(put)
    held = patiently(lambda: runtime.database.run(Scope.tenant(tenant), statement))
    at_once = [to_route(tenant, job.id, job.job_class) for job in held if job.run_after is None]
    runtime.tell(bells=[*at_once, *([to_record(tenant, put.claim.id)] if put.attempts else [])])
    if not at_once:
        hand_over(runtime, tenant, put.claim.id)
