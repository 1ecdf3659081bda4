"""A job that its tenant has deleted is gone; one that has not ended stays."""

from collections.abc import Callable

from builders import completed, new_job
from conftest import Tenant

from aico.core.jobs import CacheMode
from aico.store import claims, feedback, jobs
from aico.store.blocking import Database
from aico.store.scope import Scope


def test_only_an_ended_job_of_ones_own_is_deleted(database: Database, make_tenant: Callable[[], Tenant]) -> None:
    mine, theirs = make_tenant(), make_tenant()
    scope = Scope.tenant(mine.id)
    job = new_job("tell me", mode=CacheMode.OFF)
    database.run(scope, jobs.submit(mine.id, [job]))
    assert database.run(scope, jobs.delete(mine.id, job.id)) == []
    database.run(scope, claims.finish(mine.id, [completed(job.id, 0)], 60))
    assert database.run(Scope.tenant(theirs.id), jobs.delete(theirs.id, job.id)) == []
    database.run(scope, feedback.give(mine.id, job.id, score=0.5, comment="what I think of it"))
    assert database.run(scope, jobs.delete(mine.id, job.id)) == [job.id]
    assert database.run(scope, feedback.get(mine.id, job.id)) == []
    assert database.run(scope, jobs.get(mine.id, job.id)) == []
