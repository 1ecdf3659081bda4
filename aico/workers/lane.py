"""Takes work that can wait through providers' batch lanes: forms batches, creates them, polls, and collects."""

from functools import cache, partial
from uuid import UUID

from aico.core.key_encryption import key_encryption
from aico.routing.catalogue import Catalogue
from aico.routing.providers.batches.lane import open_lanes
from aico.routing.strategies.strategies import Strategies
from aico.store import lanes
from aico.store.scope import Scope
from aico.workers.answers import Answers, Known
from aico.workers.app import app
from aico.workers.keyring import Keyring
from aico.workers.lane_doors import LaneDoors
from aico.workers.lane_steps import LaneSteps
from aico.workers.learned import LearnedSolutions
from aico.workers.queue import FORM_BATCHES, TaskName
from aico.workers.renewal import renewing
from aico.workers.runtime import get_runtime, patiently

LEASE_SECONDS = 60.0


@cache
def steps() -> LaneSteps:
    runtime = get_runtime()
    catalogue = Catalogue.from_settings(runtime.settings)
    answers = Answers(runtime.settings, Strategies(), catalogue, Known(solutions=LearnedSolutions(runtime.database).of))
    models = {model.id: model for model in catalogue.all_models}
    doors = LaneDoors(
        open_lanes(runtime.settings),
        open_lanes(runtime.settings, for_tenants=True),
        Keyring(key_encryption(runtime.settings)),
    )
    return LaneSteps(runtime, doors, answers, models)


@app.task(name=TaskName.LANE.value)
def lane(tenant_id: str, batch_id: str) -> None:
    """Does nothing when the step is not due or somebody else is at it: a bell may ring twice."""
    runtime, tenant, batch = get_runtime(), UUID(tenant_id), UUID(batch_id)
    if batch == FORM_BATCHES:
        steps().form(tenant)
        return
    claim = lanes.claim(tenant, batch, LEASE_SECONDS)
    for held in patiently(lambda: runtime.database.run(Scope.tenant(tenant), claim)):
        with renewing(runtime, tenant, LEASE_SECONDS, partial(lanes.renew, held)):
            steps().step(held)


def warm_up() -> None:
    """Read the catalogue and open the lanes, before the first message. The vocabulary waits for work: few have any."""
    steps()


def wind_down() -> None:
    """Nothing to give back: the lease of a step that is cut off runs out, and it is taken again."""
