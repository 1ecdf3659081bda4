"""What comparing may cost, with whose keys, and who may be sent a tenant's words for it."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from conftest import Tenant
from keys import ENCRYPTION_KEYS, bring
from pydantic import SecretStr
from workers.comparing import JUDGE, LARGE, SAID, SMALL, Play, Scene, play, prefers

__all__ = ["play"]


def test_a_tenant_may_have_less_compared_and_not_more(play: Play, make_tenant: Callable[[], Tenant]) -> None:
    scene, none, more = play(shadow_rate=1e-12), make_tenant(), make_tenant()
    query = "update tenants set shadow_rate = %s where id = %s"
    scene.admin.execute(query, (0, none.id))
    scene.admin.execute(query, (1, more.id))
    for tenant in (none, more):
        scene.answered(tenant)
        assert scene.pairs("tenant_id = %s", tenant.id) == []


def test_without_a_known_price_nothing_is_called(play: Play, tenant: Tenant) -> None:
    scene = play()
    file = scene.runtime.settings.catalogue_file
    assert file is not None
    file.write_text(file.read_text().replace(f'\nmodel = "{JUDGE}"', '\nmodel = "another"'))
    unpriced = Scene.of(scene.runtime, scene.server, scene.admin)
    job = scene.answered(tenant)
    pair = unpriced.compare(tenant, job.id)
    unpriced.close()
    assert (pair["status"], pair["reason"]) == ("dropped", "price_unknown")
    assert len(scene.server.bodies) == 1


def test_what_costs_nothing_is_compared_like_the_rest(play: Play, tenant: Tenant) -> None:
    scene = play()
    file = scene.runtime.settings.catalogue_file
    assert file is not None
    for price in (1, 2, 4):
        file.write_text(file.read_text().replace(f'put = "{price}"', 'put = "0"'))
    free = Scene.of(scene.runtime, scene.server, scene.admin)
    job = scene.answered(tenant)
    pair = free.compare(tenant, job.id)
    free.close()
    assert (pair["status"], pair["rival"], pair["judge"]) == ("judged", LARGE, JUDGE)


def test_a_key_that_is_limited_to_models_sends_its_words_to_no_others(play: Play, tenant: Tenant) -> None:
    scene = play()
    scene.admin.execute("update api_keys set models = %s where id = %s", ([SMALL, LARGE], tenant.key_id))
    job = scene.submitted(tenant, "What is the capital of France?")
    scene.admin.execute("update jobs set api_key_id = %s where id = %s", (tenant.key_id, job.id))
    scene.route(tenant, job)
    pair = scene.compare(tenant, job.id)
    assert (pair["status"], pair["reason"]) == ("dropped", "no_judge")
    assert len(scene.server.bodies) == 1


@pytest.mark.parametrize("leave", [False, True])
def test_a_tenants_own_keys_are_used_only_with_its_leave(play: Play, tenant: Tenant, leave: bool) -> None:
    scene = play(encryption_keys=SecretStr(ENCRYPTION_KEYS))
    bring(scene.runtime.database, tenant.id, "openai_compatible", "house.credential/own")
    scene.admin.execute("update tenants set compare_with_own_keys = %s where id = %s", (leave, tenant.id))
    job = scene.answered(tenant)
    pair = scene.compare(tenant, job.id)
    assert (pair["status"], pair["reason"]) == (("judged", None) if leave else ("dropped", "no_judge"))
    assert set(scene.server.keys) == {"house.credential/own"}
    sources = scene.admin.execute("select distinct key_source from ledger_outbox where job_id = %s", (job.id,))
    assert sources.fetchall() == [{"key_source": "tenant"}]


def test_fifty_pairs_at_once_keep_to_the_tenants_budget(play: Play, tenant: Tenant) -> None:
    scene = play(judge_daily_budget_cents=Decimal(6))
    told = fifty_at_once(scene, [tenant], lambda: scene.day(tenant))
    assert max(told) <= Decimal(6)


def test_fifty_pairs_at_once_keep_to_the_services_budget(play: Play, make_tenant: Callable[[], Tenant]) -> None:
    scene = play(judge_service_budget_cents=Decimal(6))
    told = fifty_at_once(scene, [make_tenant() for _ in range(5)], lambda: service_day(scene))
    assert max(told) <= Decimal(6)


def service_day(scene: Scene) -> Decimal:
    (row,) = scene.admin.execute("select cents + held_cents as cents from private.judge_days").fetchall()
    return Decimal(row["cents"])


def fifty_at_once(scene: Scene, tenants: list[Tenant], spent: Callable[[], Decimal]) -> list[Decimal]:
    """The day's figure at each of the judge's calls, and at the end. Some are judged, and the rest finds no room."""
    pairs = [
        (tenant, scene.answered(tenant, f"What is the capital of France? {n}").id)
        for n in range(50 // len(tenants))
        for tenant in tenants
    ]
    told: list[Decimal] = []
    lock = threading.Lock()

    def watch(answers: dict[str, str]) -> str:
        with lock:
            told.append(spent())
        return prefers(SAID[LARGE])(answers)

    scene.server.judging = watch
    waiting, ended = pairs, []
    while waiting:  # those for which others had put aside all that was left come again
        with ThreadPoolExecutor(50) as pool:
            seen = list(pool.map(lambda one: (one, scene.compare(*one)), waiting))
        ended += [pair for _, pair in seen if pair["status"] != "waiting"]
        waiting = [one for one, pair in seen if pair["status"] == "waiting"]
        for _, job in waiting:
            scene.due(job)
    judged = sum(pair["status"] == "judged" for pair in ended)
    assert {pair["reason"] for pair in ended if pair["status"] == "dropped"} == {"budget_spent"}
    assert 0 < judged < 50
    assert spent() == judged * Decimal("0.15")  # of what was put aside nothing is left
    return [*told, spent()]
