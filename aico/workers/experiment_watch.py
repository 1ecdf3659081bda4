"""Looks at the experiments that run, ends arms that lose, and stops what is decided or over."""

from datetime import datetime

import structlog

from aico.core import changes
from aico.core.experiment_results import evaluate
from aico.core.experiment_rules import Step, next_step
from aico.core.experiments import ACTOR, Status
from aico.store import experiment_figures, experiments
from aico.store.experiments import Experiment, Running
from aico.store.scope import Scope
from aico.workers.runtime import Runtime

log = structlog.get_logger()


def watch_experiments(runtime: Runtime, now: datetime) -> None:
    """O(arms x days) for each experiment that runs, and O(units) where units make several jobs.

    What it does it does once, however many do it: each change is conditional on what it changes.
    """
    for one in runtime.database.run(Scope.system(), experiments.running()):
        for experiment in runtime.database.run(Scope.tenant(one.tenant), experiments.get(one.tenant, one.experiment)):
            step = _next_step(runtime, one, experiment, now)
            if step:
                _take(runtime, one, step)


def _next_step(runtime: Runtime, one: Running, experiment: Experiment, now: datetime) -> Step:
    if experiment.status is not Status.RUNNING or experiment.started_at is None:  # it was stopped a moment ago
        return Step({}, None)
    scope, design = Scope.tenant(one.tenant), experiment.design
    found = runtime.database.run(scope, experiment_figures.days(one.tenant, one.experiment))
    units = None
    if design.unit != "job":
        units = runtime.database.run(scope, experiment_figures.clusters(one.tenant, one.experiment))
    figures = experiment_figures.figures(design.arms, found, units)
    return next_step(
        design.plan,
        design.arms,
        evaluate(design.plan, figures),
        jobs=sum(arm.jobs for arm in figures),
        started_at=experiment.started_at,
        now=now,
    )


def _take(runtime: Runtime, one: Running, step: Step) -> None:
    """Then tell the API's processes, which remember what they draw jobs into."""
    tenant, scope = one.tenant, Scope.tenant(one.tenant)
    told = {"tenant_id": str(tenant), "experiment_id": str(one.experiment)}
    for arm, because in step.ended.items():
        if runtime.database.run(scope, experiments.end_arm(tenant, one.experiment, arm, because, ACTOR)):
            log.info("experiment_arm_ended", arm=arm, because=because, **told)
    if step.stop is not None and runtime.database.run(
        scope, experiments.stop(tenant, one.experiment, step.stop, ACTOR)
    ):
        log.info("experiment_stopped", because=step.stop, **told)
    runtime.redis.publish(changes.CHANNEL, changes.of_tenant(tenant))
