"""Keeps a lease for as long as a step takes that may take long."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import structlog

from aico.core.errors import Unavailable
from aico.store.scope import Scope
from aico.store.statement import Statement
from aico.workers.runtime import Runtime

log = structlog.get_logger()

RENEWALS = 3  # in the time that the lease has


@contextmanager
def renewing(
    runtime: Runtime, tenant: UUID, seconds: float, renew: Callable[[float], Statement[Any]]
) -> Iterator[None]:
    """`renew` makes the statement that holds the lease for so many seconds more."""
    done = threading.Event()
    statement = renew(seconds)
    arguments = (runtime, tenant, statement, seconds / RENEWALS, done)
    thread = threading.Thread(target=_renew, args=arguments, name="renewal", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _renew(runtime: Runtime, tenant: UUID, statement: Statement[Any], pause: float, done: threading.Event) -> None:
    while not done.wait(pause):
        try:
            runtime.database.run(Scope.tenant(tenant, durable=False), statement)
        except Unavailable:
            log.warning("lease_not_renewed", tenant_id=str(tenant))
