"""The sweeper's look at the experiments that run: what it ends, it ends once, and tells of."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from conftest import Postgres, Tenant
from experimenting import TWO, Lab
from psycopg.rows import dict_row

from aico.core import changes
from aico.core.assignment import Arm, Treatment
from aico.core.experiments import Plan, Status
from aico.store import alerts
from aico.store.alerts import AlertKind
from aico.workers.experiment_watch import watch_experiments
from aico.workers.runtime import Runtime

NOW = datetime.now(UTC)
THREE = (*TWO, Arm(name="c", treatment=Treatment(quality_floor=0.2)))


@pytest.fixture
def lab(runtime: Runtime, tenant: Tenant) -> Lab:
    return Lab(runtime.database, tenant)


@pytest.fixture
def roll(postgres: Postgres, lab: Lab) -> Callable[..., None]:
    """Figures of an arm as bookings leave them: jobs of 1 and 3 cents by `cents`, of which so many failed."""

    def put(experiment: UUID, arm: str, *, cents: float = 1.0, failed: int = 0, jobs: int = 1000) -> None:
        with psycopg.connect(postgres.admin_url, row_factory=dict_row, autocommit=True) as admin:
            admin.execute(
                "insert into arm_rollups (tenant_id, arm, day, answered, failed, cents, cents_squared)"
                " values (%s, %s, current_date, %s, %s, %s, %s)",
                (
                    *(lab.tenant.id, f"{experiment}/{arm}", jobs - failed, failed),
                    *(2 * cents * jobs, 5 * cents * cents * jobs),
                ),
            )

    return put


def told(lab: Lab) -> list[AlertKind]:
    return [one.kind for one in lab.database.run(lab.scope, alerts.page(lab.tenant.id, after=None, limit=10))]


def test_a_losing_arm_is_ended_the_others_go_on_and_the_api_is_told(
    lab: Lab, runtime: Runtime, roll: Callable[..., None]
) -> None:
    experiment = lab.running(arms=THREE, plan=Plan(stop_when_decided=False))
    for arm, failed in (("control", 0), ("b", 0), ("c", 400)):
        roll(experiment, arm, failed=failed)
    with runtime.redis.pubsub(ignore_subscribe_messages=True) as channel:  # type: ignore[no-untyped-call]
        channel.subscribe(changes.CHANNEL)
        channel.get_message(timeout=5)
        watch_experiments(runtime, NOW)
        heard = []  # of other tests' tenants too
        while (message := channel.get_message(timeout=1)) is not None:
            heard.append(message["data"])
    assert heard.count(changes.of_tenant(lab.tenant.id)) == 1
    arms = lab.see(experiment).design.arms
    assert [arm.ended is None for arm in arms] == [True, True, False]
    watch_experiments(runtime, NOW)
    assert told(lab) == [AlertKind.ARM_ENDED]
    assert lab.see(experiment).status is Status.RUNNING


def test_a_decided_experiment_stops_once(lab: Lab, runtime: Runtime, roll: Callable[..., None]) -> None:
    experiment = lab.running()
    roll(experiment, "control", cents=2.0)
    watch_experiments(runtime, NOW)
    assert lab.see(experiment).status is Status.RUNNING
    roll(experiment, "b")
    for _ in range(2):
        watch_experiments(runtime, NOW)
    stopped = lab.see(experiment)
    assert (stopped.status, stopped.stopped_because) == (Status.STOPPED, "cost is decided: b is better")
    assert told(lab) == [AlertKind.EXPERIMENT_STOPPED]


def test_an_experiment_stops_when_its_days_are_over(lab: Lab, runtime: Runtime) -> None:
    begun, experiment = datetime.now(UTC), lab.running(unit="user", plan=Plan(max_days=2))
    watch_experiments(runtime, begun + timedelta(days=1))
    assert lab.see(experiment).status is Status.RUNNING
    watch_experiments(runtime, begun + timedelta(days=2, minutes=1))
    assert lab.see(experiment).stopped_because == "it ran for 2 days"


def test_each_tenants_experiment_is_judged_by_its_own_figures(
    lab: Lab, runtime: Runtime, roll: Callable[..., None], make_tenant: Callable[[], Tenant]
) -> None:
    other = Lab(runtime.database, make_tenant())
    mine, theirs = lab.running(), other.running()
    roll(mine, "control", cents=2.0)
    roll(mine, "b")
    watch_experiments(runtime, NOW)
    assert (lab.see(mine).status, other.see(theirs).status) == (Status.STOPPED, Status.RUNNING)
    assert told(other) == []
