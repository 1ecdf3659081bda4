"""Experiments: which way of answering is better, by chance and with intervals that may be looked at at any time."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Response

from aico.api.auth import Principal
from aico.api.changed import tell
from aico.api.experiment_result_schemas import ResultsView
from aico.api.experiment_schemas import ExperimentChange, ExperimentPage, ExperimentRequest, ExperimentView
from aico.api.problems import documented
from aico.api.routers.jobs import After, Limit
from aico.api.services import Held, Services, SettingsWriter, UsageReader
from aico.core import changes
from aico.core.assignment import Arm
from aico.core.chat import AUTO_MODELS
from aico.core.errors import Conflict, InvalidInput, NotFound, UnknownModel
from aico.core.experiment_results import evaluate
from aico.core.ids import new_id
from aico.routing.strategies.strategies import STRATEGIES
from aico.store import experiment_figures, experiments, tenants
from aico.store.experiments import MAX_EXPERIMENTS, MAX_RUNNING, Experiment, Outcome
from aico.store.scope import Scope
from aico.store.statement import Statement

PATH = "/v1/experiments"

router = APIRouter(prefix=PATH, tags=["experiments"])

ExperimentId = Annotated[UUID, Path(description="The experiment's id.")]

_ONE_PROBLEMS = documented(401, 403, 404, 422, 503)
_CHANGE_PROBLEMS = {**_ONE_PROBLEMS, **documented(409)}


@router.get("", responses=documented(401, 403, 422, 503))
async def list_experiments(
    held: Held, principal: UsageReader, limit: Limit = 20, after: After = None
) -> ExperimentPage:
    """List the experiments, newest first."""
    statement = experiments.page(principal.tenant, after=after, limit=limit + 1)
    found = await held.database.run(Scope.tenant(principal.tenant), statement)
    return ExperimentPage.of([ExperimentView.of(one) for one in found], limit, lambda view: view.id)


@router.post("", status_code=201, responses=documented(400, 401, 403, 404, 409, 413, 422, 503))
async def create_experiment(
    request: ExperimentRequest, held: Held, principal: SettingsWriter, response: Response
) -> ExperimentView:
    """Draft an experiment. Nothing is drawn before it is started."""
    await _check(held, principal, request.design.arms)
    tenant, experiment = principal.tenant, new_id()
    create = experiments.create(tenant, experiment, request.name, request.description, request.design, principal.actor)
    outcome = await _locked(held, tenant, create)
    if outcome == [Outcome.TOO_MANY]:
        raise Conflict(f"there are {MAX_EXPERIMENTS} experiments, and no more are allowed; remove one first")
    _heed_name(outcome, request.name)
    response.headers["Location"] = f"{PATH}/{experiment}"
    return ExperimentView.of(await _find(held, principal, experiment))


@router.get("/{experiment_id}", responses=_ONE_PROBLEMS)
async def get_experiment(experiment_id: ExperimentId, held: Held, principal: UsageReader) -> ExperimentView:
    """Read an experiment: what it compares, and how it stands."""
    return ExperimentView.of(await _find(held, principal, experiment_id))


@router.patch("/{experiment_id}", responses={**_CHANGE_PROBLEMS, **documented(400, 413)})
async def change_experiment(
    experiment_id: ExperimentId, request: ExperimentChange, held: Held, principal: SettingsWriter
) -> ExperimentView:
    """Change a draft, or the name and the description of any experiment."""
    await _find(held, principal, experiment_id)
    redesigned, arms = request.redesigned, request.drawn
    if arms is not None:
        await _check(held, principal, arms)
    if request.words or redesigned:
        design = experiments.columns(request.unit, arms, request.plan)
        change = experiments.change(principal.tenant, experiment_id, request.words, design, principal.actor)
        outcome = await _locked(held, principal.tenant, change)
        _heed_name(outcome, request.name)
        if outcome and outcome != [Outcome.DONE]:
            raise Conflict(
                f"the experiment is {outcome[0]}: {' and '.join(redesigned)} cannot change any more, for what was seen"
                " belongs to them; draft another one",
                param=redesigned[0],
            )
    return ExperimentView.of(await _find(held, principal, experiment_id))


@router.delete("/{experiment_id}", status_code=204, responses=_CHANGE_PROBLEMS)
async def remove_experiment(experiment_id: ExperimentId, held: Held, principal: SettingsWriter) -> None:
    """Remove an experiment that does not run, with all that it has shown."""
    statement = experiments.remove(principal.tenant, experiment_id, principal.actor)
    outcome = await held.database.run(Scope.tenant(principal.tenant), statement)
    if not outcome:
        raise _no_experiment(experiment_id)
    if outcome == [Outcome.RUNNING]:
        raise Conflict("the experiment is running; stop it first")


@router.post("/{experiment_id}/start", responses=_CHANGE_PROBLEMS)
async def start_experiment(experiment_id: ExperimentId, held: Held, principal: SettingsWriter) -> ExperimentView:
    """Start a draft. From now on its arms and its plan stay as they are."""
    drafted = await _find(held, principal, experiment_id)
    await _check(held, principal, drafted.design.arms)  # the catalogue may have changed
    found = await _locked(held, principal.tenant, experiments.start(principal.tenant, experiment_id, principal.actor))
    if not found:
        raise _no_experiment(experiment_id)
    if found[0].outcome is Outcome.TOO_MANY:
        raise Conflict(f"{MAX_RUNNING} experiments run, and no more may; stop one first")
    if found[0].outcome is Outcome.RIVAL:
        raise Conflict(f"the running experiment {found[0].rival!r} changes the same; stop it first")
    if found[0].outcome is not Outcome.DONE:
        raise Conflict(f"the experiment is {found[0].outcome}: only a draft can be started")
    await tell(held, changes.of_tenant(principal.tenant))
    return ExperimentView.of(await _find(held, principal, experiment_id))


@router.post("/{experiment_id}/stop", responses=_CHANGE_PROBLEMS)
async def stop_experiment(experiment_id: ExperimentId, held: Held, principal: SettingsWriter) -> ExperimentView:
    """Stop an experiment for good. What it has shown stays; jobs that are on their way are still counted."""
    statement = experiments.stop(principal.tenant, experiment_id, f"stopped by {principal.actor}", principal.actor)
    if not await held.database.run(Scope.tenant(principal.tenant), statement):
        found = await _find(held, principal, experiment_id)
        raise Conflict(f"the experiment is {found.status}: only a running one can be stopped")
    await tell(held, changes.of_tenant(principal.tenant))
    return ExperimentView.of(await _find(held, principal, experiment_id))


@router.get("/{experiment_id}/results", responses=_ONE_PROBLEMS)
async def get_results(experiment_id: ExperimentId, held: Held, principal: UsageReader) -> ResultsView:
    """Read what an experiment has shown so far: its intervals hold however often one looks."""
    experiment, tenant = await _find(held, principal, experiment_id), principal.tenant
    scope, design = Scope.tenant(tenant), experiment.design
    found = await held.database.run(scope, experiment_figures.days(tenant, experiment_id))
    units = None
    if design.unit != "job":
        units = await held.database.run(scope, experiment_figures.clusters(tenant, experiment_id))
    figures = experiment_figures.figures(design.arms, found, units)
    return ResultsView.of(experiment, figures, evaluate(design.plan, figures), found)


async def _check(held: Services, principal: Principal, arms: tuple[Arm, ...]) -> None:
    """Raises UnknownModel for a model that cannot be called, InvalidInput for a strategy that is not there."""
    catalogue = held.catalogue.with_keys(await held.own_keys.providers(principal.tenant))
    for number, arm in enumerate(arms):
        where, model, strategy = f"arms.{number}.treatment", arm.treatment.model, arm.treatment.strategy
        if strategy is not None and strategy not in STRATEGIES:
            raise InvalidInput(f"the strategy {strategy} is not there", param=f"{where}.strategy")
        if model is None:
            continue
        if model in AUTO_MODELS:
            raise InvalidInput(f"{model!r} leaves the choice, as an arm without a model does", param=f"{where}.model")
        try:
            catalogue.find(model)
        except UnknownModel as error:
            raise UnknownModel(error.detail, param=f"{where}.model") from error


async def _locked(held: Services, tenant: UUID, statement: Statement[Any]) -> list[Any]:
    """Its rows. Two of them come one after the other."""
    scope = Scope.tenant(tenant)
    _, found = await held.database.run_each([(scope, tenants.lock(tenant)), (scope, statement)])
    return found


def _heed_name(outcome: list[Outcome], name: str | None) -> None:
    if outcome == [Outcome.NAME_TAKEN]:
        raise Conflict(f"there is an experiment {name!r} already", param="name")


async def _find(held: Services, principal: Principal, experiment_id: UUID) -> Experiment:
    """Raises NotFound, for another tenant's experiment too."""
    found = await held.database.run(Scope.tenant(principal.tenant), experiments.get(principal.tenant, experiment_id))
    if not found:
        raise _no_experiment(experiment_id)
    return found[0]


def _no_experiment(experiment_id: UUID) -> NotFound:
    return NotFound(f"there is no experiment {experiment_id}", param="experiment_id")
