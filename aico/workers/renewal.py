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

LEASE_SECONDS = 60.0
RENEWALS = 3  # in that time


@contextmanager
def renewing(runtime: Runtime, tenant: UUID, renew: Callable[[float], Statement[Any]]) -> Iterator[None]:
    """`renew` makes the statement that holds the lease for so many seconds more."""
    done = threading.Event()
    thread = threading.Thread(target=_renew, args=(runtime, tenant, renew, done), name="renewal", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _renew(runtime: Runtime, tenant: UUID, renew: Callable[[float], Statement[Any]], done: threading.Event) -> None:
    while not done.wait(LEASE_SECONDS / RENEWALS):
        try:
            runtime.database.run(Scope.tenant(tenant, durable=False), renew(LEASE_SECONDS))
        except Unavailable:
            log.warning("lease_not_renewed", tenant=str(tenant))
