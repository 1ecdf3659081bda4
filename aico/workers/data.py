"""Takes exports and erasures to their ends. Runs in the batch worker: like batches, they are long and nobody waits."""

from functools import partial
from uuid import UUID

from aico.store import data_requests
from aico.store.data_requests import RequestKind
from aico.store.scope import Scope
from aico.workers.app import app
from aico.workers.erase_work import Erasure
from aico.workers.export_work import export
from aico.workers.queue import TaskName
from aico.workers.renewal import renewing
from aico.workers.runtime import Runtime, get_runtime, patiently

LEASE_SECONDS = 15.0


@app.task(name=TaskName.DATA.value)
def data(tenant_id: str, request_id: str) -> None:
    """Does nothing when it is not due or somebody else is at it: a bell may ring twice."""
    work_on(get_runtime(), UUID(tenant_id), UUID(request_id))


def work_on(runtime: Runtime, tenant: UUID, request: UUID) -> None:
    claim = data_requests.claim(tenant, request, LEASE_SECONDS)
    for held in patiently(lambda: runtime.database.run(Scope.tenant(tenant), claim)):
        with renewing(runtime, tenant, LEASE_SECONDS, partial(data_requests.renew, held)):
            if held.kind is RequestKind.EXPORT:
                export(runtime, held)
            else:
                Erasure(runtime, held).run()
