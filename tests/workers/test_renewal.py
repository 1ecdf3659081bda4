"""A lease is held for as long as a step takes, and not a moment longer."""

import threading

from conftest import Tenant

from aico.core.errors import Unavailable
from aico.store.statement import Statement, no_row
from aico.workers.renewal import renewing
from aico.workers.runtime import Runtime


def statement(seconds: float) -> Statement[None]:
    return Statement("select %(seconds)s::real", {"seconds": seconds}, no_row)


def test_a_lease_is_renewed_until_the_step_is_done_whatever_happens_meanwhile(runtime: Runtime, tenant: Tenant) -> None:
    renewed: list[float] = []
    twice = threading.Event()

    class Database:
        """Away at the first renewal."""

        def run(self, _: object, asked: Statement[None]) -> list[None]:
            renewed.append(asked.params["seconds"])
            if len(renewed) == 1:
                raise Unavailable("the database does not answer")
            twice.set()
            return []

    held = Runtime(runtime.settings, Database(), runtime.redis)  # type: ignore[arg-type]
    with renewing(held, tenant.id, 0.03, statement):
        assert twice.wait(10)
    count = len(renewed)
    assert set(renewed) == {0.03}
    assert not [thread for thread in threading.enumerate() if thread.name == "renewal"]
    assert len(renewed) == count
