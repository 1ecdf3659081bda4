"""Takes work that can wait through providers' batch lanes: forms batches, creates them, polls, and collects."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from uuid import UUID

import structlog

from aico.core.errors import Unavailable
from aico.routing.catalogue import Catalogue
from aico.routing.providers.batches.lane import open_lanes
from aico.routing.strategies.complexity import ComplexityStrategy
from aico.routing.tokens import count_text
from aico.store import lanes
from aico.store.lanes import HeldBatch
from aico.store.scope import Scope
from aico.workers.answers import Answers
from aico.workers.app import app
from aico.workers.lane_steps import LaneSteps
from aico.workers.queue import FORM_BATCHES, TaskName
from aico.workers.runtime import Runtime, get_runtime, patiently

log = structlog.get_logger()

LEASE_SECONDS = 60.0
RENEWALS = 3  # in that time


@cache
def steps() -> LaneSteps:
    runtime = get_runtime()
    catalogue = Catalogue.from_settings(runtime.settings)
    answers = Answers(runtime.settings, ComplexityStrategy(), catalogue)
    models = {model.id: model for model in catalogue.all_models}
    return LaneSteps(runtime, open_lanes(runtime.settings), answers, models)


@app.task(name=TaskName.LANE.value)
def lane(tenant_id: str, batch_id: str) -> None:
    """Does nothing when the step is not due or somebody else is at it: a bell may ring twice."""
    runtime, tenant, batch = get_runtime(), UUID(tenant_id), UUID(batch_id)
    if batch == FORM_BATCHES:
        steps().form(tenant)
        return
    claim = lanes.claim(tenant, batch, LEASE_SECONDS)
    for held in patiently(lambda: runtime.database.run(Scope.tenant(tenant), claim)):
        with renewing(runtime, held):
            steps().step(held)


@contextmanager
def renewing(runtime: Runtime, held: HeldBatch) -> Iterator[None]:
    """Keep the lease for as long as the step takes: hundreds of megabytes may be on their way."""
    done = threading.Event()
    thread = threading.Thread(target=_renew, args=(runtime, held, done), name="lane-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _renew(runtime: Runtime, held: HeldBatch, done: threading.Event) -> None:
    while not done.wait(LEASE_SECONDS / RENEWALS):
        try:
            runtime.database.run(Scope.tenant(held.tenant, durable=False), lanes.renew(held, LEASE_SECONDS))
        except Unavailable:
            log.warning("lane_lease_not_renewed", batch=str(held.id))


def warm_up() -> None:
    """Read the catalogue and the vocabulary, and open the lanes, before the first message."""
    steps()
    count_text("ready")


def wind_down() -> None:
    """Nothing to give back: the lease of a step that is cut off runs out, and it is taken again."""
