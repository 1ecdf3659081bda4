"""What an arm changes for its jobs, through the real router and a server that answers: it never makes them hopeless."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from builders import chat
from conftest import Tenant
from experimenting import Lab
from workers.catalogues import catalogue
from workers.provider_server import Server, serving

from aico.core.assignment import Arm, Assigned, Treatment
from aico.core.experiments import Metric
from aico.core.jobs import CacheMode, Job
from aico.core.keys import hash_key
from aico.core.strategies import StrategyName
from aico.core.submission import Submission
from aico.routing.catalogue import Catalogue
from aico.routing.features import Features, extract_features
from aico.routing.models import Model
from aico.routing.strategies.protocol import PricedModel, RoutingPolicy
from aico.routing.strategies.strategies import Strategies
from aico.store import api_keys, experiment_figures, jobs, ledger
from aico.store.scope import Scope
from aico.workers import route
from aico.workers.admission import Admission, Asker
from aico.workers.answers import as_treated
from aico.workers.leases import Leases
from aico.workers.router import Router
from aico.workers.runtime import Runtime

MODELS = catalogue([("small", 0.5, 100), ("large", 0.9, 1000)])
ARMS = (Arm(name="as-it-is", control=True), Arm(name="large", treatment=Treatment(model="large")))


@pytest.fixture
def provider() -> Iterator[Server]:
    with serving() as state:
        yield state


@pytest.fixture
def routed(runtime: Runtime, provider: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    """With two models, one of which costs ten times as much."""
    (tmp_path / "models.toml").write_text(MODELS)
    changes = {"local_model_url": provider.url, "catalogue_file": tmp_path / "models.toml"}
    able = Runtime(runtime.settings.model_copy(update=changes), runtime.database, runtime.redis)
    router, held = Router(able.settings, Strategies()), Leases(able)
    monkeypatch.setattr(route, "get_runtime", lambda: able)
    monkeypatch.setattr(route, "router", lambda: router)
    monkeypatch.setattr(route, "leases", lambda: held)
    held.start()
    yield able
    held.stop()
    router.close()


def answered(runtime: Runtime, lab: Lab, prompt: str) -> Job:
    """Admitted, drawn, stored, answered and booked."""
    (holder,) = runtime.database.run(Scope.system(), api_keys.authenticate(hash_key(lab.tenant.key)))
    admission = Admission(Catalogue.from_settings(runtime.settings), runtime.settings)
    job = admission.admit(Submission(chat=chat(prompt), cache=CacheMode.OFF), Asker(programme=holder.programme))
    runtime.database.run(lab.scope, jobs.submit(lab.tenant.id, [job]))
    route.route.run(str(lab.tenant.id), str(job.id))
    runtime.database.run(lab.scope, ledger.book([lab.tenant.id], [job.id]))
    return runtime.database.run(lab.scope, jobs.get(lab.tenant.id, job.id))[0]


def test_an_arms_model_answers_and_its_price_is_the_arms_cost(routed: Runtime, tenant: Tenant) -> None:
    lab = Lab(routed.database, tenant)
    experiment = lab.running(arms=ARMS)
    models: dict[str, set[str]] = {}
    for number in range(24):
        job = answered(routed, lab, f"question {number}")
        assert job.routing is not None
        (arm,) = job.routing.arms
        models.setdefault(arm, set()).add(job.routing.model)
    assert models == {f"{experiment}/as-it-is": {"small"}, f"{experiment}/large": {"large"}}
    found = routed.database.run(lab.scope, experiment_figures.days(tenant.id, experiment))
    assert sum(day.answered for day in found) == 24
    cost = {day.arm: day.moments[Metric.COST].mean for day in found}
    assert cost["large"] == pytest.approx(10 * cost["as-it-is"])


def test_an_experiment_of_strategies_decides_by_the_arms(routed: Runtime, tenant: Tenant) -> None:
    lab = Lab(routed.database, tenant)
    names = (StrategyName.COMPLEXITY, StrategyName.HYBRID)
    arms = tuple(Arm(name=name, control=name is names[0], treatment=Treatment(strategy=name)) for name in names)
    experiment = lab.running(arms=arms)
    drawn = {job.routing.arms: job.routing.strategy for job in _answers(routed, lab, 16) if job.routing is not None}
    assert drawn == {(f"{experiment}/{name}",): name for name in names}


def _answers(runtime: Runtime, lab: Lab, count: int) -> list[Job]:
    return [answered(runtime, lab, f"question {number}") for number in range(count)]


SMALL, LARGE = (
    PricedModel(
        Model(id=name, provider="local", provider_model=name, quality=quality, context_window=window, max_output=100),
        Decimal(1),
    )
    for name, quality, window in (("small", 0.5, 100_000), ("large", 0.9, 1000))
)
SHORT, LONG = (extract_features(chat(text)) for text in ("hello", "a word and another " * 1000))


def treated(asked: RoutingPolicy, treatment: Treatment, features: Features = SHORT) -> RoutingPolicy:
    return as_treated(asked, Assigned(arms=("x/a",), treatment=treatment), features, [SMALL, LARGE])


def test_an_arms_model_answers_where_the_caller_leaves_the_choice_and_it_can() -> None:
    large = Treatment(model="large")
    assert treated(RoutingPolicy(allow_fallback=False), large) == RoutingPolicy(model="large", allow_fallback=True)
    assert treated(RoutingPolicy(model="small"), large).model == "small"
    assert treated(RoutingPolicy(), large, LONG).model == "auto"  # it has no room
    assert treated(RoutingPolicy(max_cents=Decimal("0.5")), large).model == "auto"
    assert treated(RoutingPolicy(), Treatment(model="gone")).model == "auto"


def test_an_arms_floor_raises_the_callers_where_a_model_reaches_it() -> None:
    assert treated(RoutingPolicy(quality_floor=0.2), Treatment(quality_floor=0.8)).quality_floor == 0.8
    assert treated(RoutingPolicy(quality_floor=0.7), Treatment(quality_floor=0.1)).quality_floor == 0.7
    assert treated(RoutingPolicy(), Treatment(quality_floor=0.8), LONG).quality_floor == 0
    assert treated(RoutingPolicy(model="small"), Treatment(quality_floor=0.8)).quality_floor == 0  # it was named
    assert treated(RoutingPolicy(model="large"), Treatment(quality_floor=0.8)).quality_floor == 0.8


def test_an_arms_strategy_decides() -> None:
    assert treated(RoutingPolicy(), Treatment(strategy=StrategyName.HYBRID)).strategy is StrategyName.HYBRID
