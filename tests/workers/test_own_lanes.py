"""Providers' batches of tenants with keys of their own: each in one account, from its making to its results."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from conftest import Postgres, Tenant
from keys import ENCRYPTION_KEYS, KEYS, bring
from pydantic import SecretStr
from routing.batch_apis import KEY, OpenAIServer
from routing.batch_servers import serving
from workers.laning import Scene, settings_for

from aico.core.jobs import JobStatus
from aico.routing.catalogue import Catalogue
from aico.routing.providers.batches.lane import BatchLane
from aico.routing.providers.profiles import PROFILE_BY_NAME
from aico.routing.strategies.complexity import ComplexityStrategy
from aico.store import provider_keys
from aico.workers import lane
from aico.workers.answers import Answers
from aico.workers.keyring import Keyring
from aico.workers.lane_doors import LaneDoors
from aico.workers.lane_steps import LaneSteps
from aico.workers.router import Router
from aico.workers.runtime import Runtime

OPERATORS, LATER = "house.credential/operator", "house.credential/of-the-tenant-later"


@pytest.fixture
def scene(runtime: Runtime, tenant: Tenant, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """A lane worker whose provider accepts the key that the tenant has brought, and no other: not the operator's."""
    encrypted = {"encryption_keys": SecretStr(ENCRYPTION_KEYS), "openai_api_key": SecretStr(OPERATORS)}
    own = replace(runtime, settings=settings_for(runtime.settings, "openai").model_copy(update=encrypted))
    router = Router(own.settings, ComplexityStrategy(), lanes=["openai"])
    with serving(OpenAIServer()) as server, closing(router):
        profile = replace(PROFILE_BY_NAME["openai"], base_url=server.url)
        operators, tenants = BatchLane(profile, SecretStr(OPERATORS)), BatchLane(profile, None)
        catalogue = Catalogue.from_settings(own.settings)
        steps = LaneSteps(
            own,
            LaneDoors({"openai": operators}, {"openai": tenants}, Keyring(KEYS)),
            Answers(own.settings, ComplexityStrategy(), catalogue),
            {model.id: model for model in catalogue.all_models},
        )
        monkeypatch.setattr(lane, "get_runtime", lambda: own)
        monkeypatch.setattr(lane, "steps", lambda: steps)
        with closing(operators), closing(tenants):
            yield Scene(own, tenant, "openai", server, router, postgres.admin_url)


def set_key(scene: Scene, secret: str) -> None:
    bring(scene.runtime.database, scene.tenant.id, "openai", secret)


def secrets_kept(scene: Scene) -> int:
    return len(scene.sql("select id from provider_keys where tenant_id = %(t)s"))


def test_a_batch_goes_into_the_tenants_own_account_and_is_booked_so(scene: Scene) -> None:
    set_key(scene, KEY)
    job = scene.park("What is the capital of France?")
    scene.form()
    assert scene.step()["status"] == "running"
    assert scene.step()["status"] == "ended"
    assert scene.job(job).status is JobStatus.COMPLETED
    assert [row["key_source"] for row in scene.events()] == ["tenant"]


def test_a_key_that_is_replaced_meanwhile_is_kept_until_its_batch_has_ended(scene: Scene) -> None:
    set_key(scene, KEY)
    job = scene.park("What is the capital of France?")
    scene.form()
    scene.step()
    set_key(scene, LATER)
    assert secrets_kept(scene) == 2
    assert scene.step()["status"] == "ended"
    assert scene.job(job).status is JobStatus.COMPLETED
    assert secrets_kept(scene) == 1


def test_a_key_that_is_deleted_meanwhile_ends_its_batch_and_the_operators_is_not_used_for_it(scene: Scene) -> None:
    set_key(scene, KEY)
    job = scene.park("What is the capital of France?")
    scene.form()
    scene.step()
    before = len(scene.server.received)
    scene.runtime.database.run(scene.scope, provider_keys.remove(scene.tenant.id, "openai", "operator"))
    assert scene.step()["status"] == "failed"
    assert secrets_kept(scene) == 0
    assert len(scene.server.received) == before
    assert "deleted the key" in scene.job(job).history[-1].message
    scene.direct(job)


def test_a_refused_key_gives_the_jobs_back_and_the_operators_is_not_used_instead(scene: Scene) -> None:
    set_key(scene, LATER)  # which the provider does not accept
    job = scene.park("What is the capital of France?")
    scene.form()
    batch = scene.step()
    assert batch["status"] == "failed"
    assert "401" in batch["error"]
    assert LATER not in batch["error"]
    assert scene.history(job) == ["lane_failed"]
