"""Takes callers' batches from their file of requests to their files of results.

Beside it run exports and erasures, and what learns from outcomes and from verdicts on the cache.
"""

from functools import cache, partial
from uuid import UUID

from aico.routing.catalogue import Catalogue
from aico.store import batch_steps
from aico.store.scope import Scope
from aico.workers import cache_calibration as _cache_calibration  # registers its task  # noqa: F401
from aico.workers import data as _data  # likewise  # noqa: F401
from aico.workers import learn as _learn  # likewise  # noqa: F401
from aico.workers.admission import Admission
from aico.workers.app import app
from aico.workers.batch_results import Results
from aico.workers.batch_work import BatchWork
from aico.workers.intake import Intake
from aico.workers.queue import TaskName
from aico.workers.redacting import Redactor
from aico.workers.renewal import renewing
from aico.workers.runtime import Runtime, get_runtime, patiently

LEASE_SECONDS = 15.0


def work_of(runtime: Runtime) -> BatchWork:
    admission = Admission(Catalogue.from_settings(runtime.settings), runtime.settings)
    return BatchWork(runtime, Intake(runtime, admission, Redactor(runtime.settings)), Results(runtime))


@cache
def work() -> BatchWork:
    return work_of(get_runtime())


@app.task(name=TaskName.BATCH.value)
def batch(tenant_id: str, batch_id: str) -> None:
    """Does nothing when the step is not due or somebody else is at it: a bell may ring twice."""
    runtime, tenant = get_runtime(), UUID(tenant_id)
    claim = batch_steps.claim(tenant, UUID(batch_id), LEASE_SECONDS)
    for held in patiently(lambda: runtime.database.run(Scope.tenant(tenant), claim)):
        with renewing(runtime, tenant, LEASE_SECONDS, partial(batch_steps.renew, held)):
            work().step(held)


def warm_up() -> None:
    """Read the catalogue before the first message. The vocabulary waits for work: few have any."""
    work()


def wind_down() -> None:
    """Nothing to give back: the lease of a step that is cut off runs out, and it is taken again."""
