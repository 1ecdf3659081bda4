"""Experiments in the database: what starts and stops them, and what the jobs of their arms leave behind."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from conftest import Tenant
from experimenting import TWO, Lab, attempt

from aico.core.assignment import Arm, Treatment
from aico.core.attempts import AttemptOutcome
from aico.core.experiment_results import ArmFigures
from aico.core.experiments import Metric, Plan, Status
from aico.core.sequential import Clusters
from aico.core.strategies import StrategyName
from aico.store import alerts, audit, experiment_figures, experiments, tenants
from aico.store.blocking import Database
from aico.store.experiments import MAX_RUNNING, Outcome

Connection = psycopg.Connection[Any]


@pytest.fixture
def lab(database: Database, tenant: Tenant) -> Lab:
    return Lab(database, tenant)


def figures(lab: Lab, experiment: Any, unit: str = "job") -> dict[str, ArmFigures]:
    days = lab.database.run(lab.scope, experiment_figures.days(lab.tenant.id, experiment))
    units = None
    if unit != "job":
        units = lab.database.run(lab.scope, experiment_figures.clusters(lab.tenant.id, experiment))
    arms = lab.see(experiment).design.arms
    return {one.arm.name: one for one in experiment_figures.figures(arms, days, units)}


def assignments(admin: Connection, experiment: Any) -> list[dict[str, Any]]:
    return admin.execute(
        "select unit, arm, propensity, jobs, failed, cents::real, judged, quality from public.assignments"
        " where experiment_id = %s order by unit",
        (experiment,),
    ).fetchall()


def test_jobs_are_drawn_from_the_start_to_the_stop(lab: Lab) -> None:
    experiment = lab.draft()
    assert lab.drawn()[1].arms == ()
    assert lab.start(experiment) is Outcome.DONE
    drawn = Counter(lab.drawn()[1].arms for _ in range(60))
    assert set(drawn) == {(f"{experiment}/control",), (f"{experiment}/b",)}
    assert lab.database.run(lab.scope, experiments.stop(lab.tenant.id, experiment, "enough", "test")) == [True]
    assert lab.drawn()[1].arms == ()
    stopped = lab.see(experiment)
    assert (stopped.status, stopped.stopped_because) == (Status.STOPPED, "enough")
    assert lab.start(experiment) is Outcome.STOPPED


def test_each_jobs_cost_latency_failure_and_quality_is_its_arms(lab: Lab) -> None:
    experiment = lab.running()
    control, other = lab.in_arm(experiment, "control"), lab.in_arm(experiment, "b")
    lab.ended(control, [attempt("1", AttemptOutcome.RETRYABLE), attempt("2", latency_ms=10)])
    lab.ended(control, [attempt("5", AttemptOutcome.FATAL)], failed=True)
    job = lab.ended(other, [attempt("4", latency_ms=20)])
    lab.judge(job, 0.5)
    found = figures(lab, experiment)
    control_means, means = found["control"].means, found["b"].means
    assert (found["control"].jobs, found["control"].failed, found["b"].jobs) == (2, 1, 1)
    assert (control_means[Metric.COST].mean, control_means[Metric.FAILURES].mean) == (4.0, 0.5)
    assert (control_means[Metric.LATENCY].n, control_means[Metric.LATENCY].mean) == (1, 10.0)
    assert (means[Metric.QUALITY].n, means[Metric.QUALITY].mean, control_means[Metric.QUALITY].n) == (1, 0.5, 0)


def test_of_each_job_on_its_own_no_assignment_is_written(lab: Lab, admin: Connection) -> None:
    experiment = lab.running()
    lab.ended(lab.in_arm(experiment, "b"), [attempt("4")])
    assert assignments(admin, experiment) == []


def test_of_users_sums_are_kept_and_names_are_not(lab: Lab, admin: Connection) -> None:
    experiment = lab.running(unit="user")
    for cents in ("1", "3"):
        job, assigned = lab.drawn("ada@example.com")
        lab.judge(lab.ended(assigned, [attempt(cents)], job), 1.0)
    job, assigned = lab.drawn("bob")
    lab.ended(assigned, [attempt("9", AttemptOutcome.FATAL)], job, failed=True)
    assert lab.drawn()[1].arms == ()  # without a user there is nothing to draw by
    rows = assignments(admin, experiment)
    assert [len(row.pop("unit")) for row in rows] == [32, 32]
    arms = {row.pop("jobs"): row.pop("arm") for row in rows}
    assert sorted((row["cents"], row["failed"], row["judged"], row["quality"]) for row in rows) == [
        (4, 0, 2, 2),
        (9, 1, 0, 0),
    ]
    assert {row["propensity"] for row in rows} == {0.5}
    mean = figures(lab, experiment, "user")[arms[2]].means[Metric.COST]
    assert isinstance(mean, Clusters)
    assert mean.sizes_squared in {4, 5}  # of two jobs, or of both users where chance put them together
    trace = admin.execute("select count(*) as n from public.jobs where assigned::text like '%%ada@%%'").fetchone()
    assert trace == {"n": 0}


def test_of_keys_one_is_one_unit_and_a_better_judgement_replaces_another(lab: Lab, admin: Connection) -> None:
    experiment = lab.running(unit="key")
    job, assigned = lab.drawn()
    lab.ended(assigned, [attempt("2")], job)
    lab.judge(job, 0.25)
    lab.judge(job, 0.75)
    (row,) = assignments(admin, experiment)
    assert (row["unit"], row["jobs"], row["judged"], row["quality"]) == (str(lab.tenant.key_id), 1, 1, 0.75)


def test_a_judgement_before_the_booking_is_not_lost(lab: Lab, admin: Connection) -> None:
    experiment = lab.running(unit="user")
    job, assigned = lab.drawn("ada")
    lab.ended(assigned, [], job)
    lab.judge(job, 1.0)
    (row,) = assignments(admin, experiment)
    assert (row["jobs"], row["judged"], row["propensity"]) == (0, 1, 0.5)


def test_an_ended_arms_jobs_are_answered_as_in_the_control_and_not_counted(lab: Lab) -> None:
    experiment = lab.running(arms=(*TWO, Arm(name="c", treatment=Treatment(quality_floor=0.3))))
    before = [lab.drawn("u") for _ in range(30)]
    assert {job[1].treatment.quality_floor for job in before} == {None, 0.1, 0.3}
    end = experiments.end_arm(lab.tenant.id, experiment, "c", "it loses", "experiments")
    assert lab.database.run(lab.scope, end) == [True]
    assert lab.database.run(lab.scope, end) == []
    after = [lab.drawn()[1] for _ in range(60)]
    assert {one.treatment.quality_floor for one in after} == {None, 0.1}
    assert {one.arms for one in after} == {(), (f"{experiment}/control",), (f"{experiment}/b",)}
    ended = lab.see(experiment).design.arms[2].ended
    assert ended is not None
    assert ended.because == "it loses"


def test_two_experiments_that_change_the_same_do_not_run_together(lab: Lab) -> None:
    lab.running(arms=(TWO[0], Arm(name="b", treatment=Treatment(model="m"))))
    rival = lab.draft(name="y", arms=(TWO[0], Arm(name="b", treatment=Treatment(strategy=StrategyName.COMPLEXITY))))
    assert lab.start(rival) is Outcome.RIVAL
    assert lab.start(lab.draft(name="z", arms=(TWO[0], Arm(name="b")))) is Outcome.DONE
    assert lab.start(lab.draft(name="w")) is Outcome.DONE


def test_so_many_experiments_run_and_no_more(lab: Lab) -> None:
    same = (Arm(name="a", control=True), Arm(name="b"))
    outcomes = [lab.start(lab.draft(name=f"{number}", arms=same)) for number in range(MAX_RUNNING + 1)]
    assert outcomes == [Outcome.DONE] * MAX_RUNNING + [Outcome.TOO_MANY]


def test_two_who_change_different_parts_of_a_draft_keep_both(lab: Lab) -> None:
    experiment, arms = lab.draft(), (TWO[0], Arm(name="c"))
    for parts in (experiments.columns(arms=arms), experiments.columns(plan=Plan(max_days=3))):
        change = experiments.change(lab.tenant.id, experiment, {}, parts, "test")
        assert lab.database.run(lab.scope, change) == [Outcome.DONE]
    design = lab.see(experiment).design
    assert (design.arms, design.plan, design.unit) == (arms, Plan(max_days=3), "job")


def test_a_stop_and_an_arms_end_are_told_once_and_audited(lab: Lab) -> None:
    experiment = lab.running()
    for _ in range(2):
        lab.database.run(lab.scope, experiments.end_arm(lab.tenant.id, experiment, "b", "it loses", "experiments"))
        lab.database.run(lab.scope, experiments.stop(lab.tenant.id, experiment, "all over", "experiments"))
    told = lab.database.run(lab.scope, alerts.page(lab.tenant.id, after=None, limit=10))
    assert {(one.kind.value, one.detail["because"]) for one in told} == {
        ("experiment.stopped", "all over"),
        ("experiment.arm_ended", "it loses"),
    }
    assert len(told) == 2
    entries = lab.database.run(lab.scope, audit.page(lab.tenant.id, after=None, limit=10))
    actions = sorted(one.action for one in entries if one.subject == str(experiment))
    assert actions == ["experiment.arm_ended", "experiment.created", "experiment.started", "experiment.stopped"]


def test_what_is_removed_leaves_no_figures_and_what_runs_stays(lab: Lab, admin: Connection) -> None:
    experiment = lab.running(unit="key")
    job, assigned = lab.drawn()
    lab.ended(assigned, [attempt("2")], job)
    remove = experiments.remove(lab.tenant.id, experiment, "test")
    assert lab.database.run(lab.scope, remove) == [Outcome.RUNNING]
    lab.database.run(lab.scope, experiments.stop(lab.tenant.id, experiment, "enough", "test"))
    assert lab.database.run(lab.scope, remove) == [Outcome.DONE]
    assert lab.database.run(lab.scope, remove) == []
    assert assignments(admin, experiment) == []
    left = admin.execute(
        "select count(*) as n from public.arm_rollups where arm like %s", (f"{experiment}%",)
    ).fetchone()
    assert left == {"n": 0}
    lab.ended(assigned, [attempt("2")])  # what was on its way is booked as ever
    assert assignments(admin, experiment) == []


def test_another_tenants_experiment_is_nowhere(lab: Lab, make_tenant: Callable[[], Tenant]) -> None:
    experiment, other = lab.running(), Lab(lab.database, make_tenant())
    tenant = other.tenant.id
    run = lab.database.run
    assert run(other.scope, experiments.get(tenant, experiment)) == []
    assert run(other.scope, experiments.get(lab.tenant.id, experiment)) == []
    assert run(other.scope, experiments.stop(lab.tenant.id, experiment, "mine", "x")) == []
    assert run(other.scope, experiments.remove(tenant, experiment, "x")) == []
    assert other.drawn()[1].arms == ()
    other.ended(lab.in_arm(experiment, "b"), [attempt("9")])
    assert figures(lab, experiment)["b"].jobs == 0
    assert lab.see(experiment).status is Status.RUNNING
    assert run(other.scope, tenants.lock(tenant)) == [tenant]
