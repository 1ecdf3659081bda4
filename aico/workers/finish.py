"""The only way in which a worker ends jobs: store the ending, wake who waits, ring the recorder and the notifier."""

from collections.abc import Sequence
from uuid import UUID

from aico.store import jobs
from aico.store.jobs import Ending
from aico.store.scope import Scope
from aico.workers.queue import to_notify, to_record
from aico.workers.runtime import Runtime, patiently


def finish(runtime: Runtime, tenant: UUID, endings: Sequence[Ending]) -> list[UUID]:
    """Returns the jobs that ended here; those that had already ended, or that a newer claim holds, are left alone.

    Their attempts are booked all the same: the money is spent.
    """
    if not endings:
        return []
    statement = jobs.finish(tenant, endings, runtime.settings.cache_ttl_seconds)
    ended = patiently(lambda: runtime.database.run(Scope.tenant(tenant), statement))
    record = [to_record(tenant, ending.id) for ending in endings if ending.attempts]
    notify = [to_notify(tenant, job.id) for job in ended for _ in range(job.deliveries)]
    ids = [job.id for job in ended]
    runtime.tell(bells=[*record, *notify], ended=ids)
    return ids
