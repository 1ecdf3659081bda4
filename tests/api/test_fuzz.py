"""Every route, from its own description: whatever is sent, it answers as documented and never fails.

Operations, parameters and bodies come from the OpenAPI document alone, so that a new route is covered as soon as it is
there. Half of what is sent fits the document, half does not. The seed is fixed.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import schemathesis
from api.conftest import serving
from api.embedding import embed_worker
from api.fuzzing import AnyCase, World, answering, every_fourth_fails, populated, with_nul
from api.identity import new_member
from conftest import new_tenant
from documented import document
from hypothesis import HealthCheck, settings
from schemathesis import GenerationMode

from aico.core.access import Permission
from aico.core.settings import Settings
from aico.store.blocking import Database

OWN_REDIS_DATABASE = "4"
EXAMPLES = 4  # of each operation, beside the boundary values of what it takes
WALKS, STEPS = 8, 6
TRIES, MOST_TRIES = 5, 60  # of each place that a text may have in a query or a body, and of all places together
TRIED: defaultdict[str, Counter[str]] = defaultdict(Counter)  # by operation and place

fitting = schemathesis.openapi.from_dict(document())
fitting.config.generation.update(modes=[GenerationMode.POSITIVE], max_examples=EXAMPLES, deterministic=True)
fitting.config.phases.coverage.enabled = False  # boundary values are the other test's
fitting.config.checks.positive_data_acceptance.enabled = False
schema = schemathesis.openapi.from_dict(document())
schema.config.generation.update(max_examples=EXAMPLES, deterministic=True, allow_extra_parameters=False)
# The document cannot say all that makes a request right: that a URL is a public one, say, or that two fields exclude
# each other. Nor are query parameters refused that nobody knows, so none are made up above.
schema.config.checks.positive_data_acceptance.enabled = False


@pytest.fixture(scope="module")
def world(
    base_settings: Settings,
    redis_url: str,
    database: Database,
    admin: psycopg.Connection[Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    """With a real embed worker, and a route worker that is played."""
    url = type(base_settings.redis_url)(f"{redis_url.rpartition('/')[0]}/{OWN_REDIS_DATABASE}")
    own = base_settings.model_copy(update={"redis_url": url, "api_key_cache_seconds": 60, "pii_redaction": "available"})
    tenant = new_tenant(database, tuple(Permission))
    with (
        embed_worker(own, tmp_path_factory.mktemp("embed")),
        answering(own, database, every_fourth_fails()),
        serving(own) as address,
    ):
        yield populated(address, tenant, new_member(admin, tenant.id))
    admin.execute("delete from public.jobs where tenant_id = %s", (tenant.id,))  # health and metrics look at all jobs


@schema.parametrize()
def test_every_answer_is_documented(case: AnyCase, world: World) -> None:
    world.steer(case)
    case.call_and_validate(**world.call)


@fitting.parametrize()
def test_a_character_that_cannot_be_stored_is_refused_or_left_out(case: AnyCase, world: World) -> None:
    world.steer(case)
    for place in with_nul(case):
        tried = TRIED[case.operation.label]
        if tried[place] < TRIES and tried.total() < MOST_TRIES:
            case.call_and_validate(**world.call)
            tried[place] += 1


def test_one_answer_leads_to_the_next(world: World) -> None:
    """Walks from route to route: what one has made, the others are asked for."""

    class Walk(schema.as_state_machine()):  # type: ignore[misc]
        def before_call(self, case: AnyCase) -> None:
            world.steer(case)

        def get_call_kwargs(self, case: AnyCase) -> dict[str, Any]:  # noqa: ARG002 - the base class names it
            return world.call

    Walk.run(
        settings=settings(
            max_examples=WALKS,
            stateful_step_count=STEPS,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
    )
