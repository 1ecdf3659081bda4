"""What is booked teaches how models count, by way of the real database, and prices are estimated by it."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from builders import chat, new_job
from conftest import Postgres, Tenant
from pydantic import SecretStr
from workers.provider_server import Server, serving
from workers.test_answers import PLAIN

from aico.core.errors import Unavailable
from aico.core.ids import new_id
from aico.core.jobs import CacheMode
from aico.core.settings import Settings
from aico.core.tokens import Pair
from aico.routing.calibration import HALF_LIFE, NO_LINES, PRIOR, Line
from aico.routing.catalogue import Catalogue
from aico.routing.features import extract_features
from aico.routing.strategies.complexity import ComplexityStrategy
from aico.store import jobs
from aico.store.scope import Scope
from aico.workers import calibration, record, route
from aico.workers.answers import Answers, Known
from aico.workers.calibration import Calibration
from aico.workers.leases import Leases
from aico.workers.router import Router
from aico.workers.runtime import Runtime

MODEL = "smollm2-135m"


@pytest.fixture
def provider() -> Iterator[Server]:
    with serving() as state:
        yield state


@pytest.fixture
def working(runtime: Runtime, provider: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    """Routes and books; reads afresh what was learned."""
    settings = runtime.settings.model_copy(update={"local_model_url": provider.url})
    router, held, learning = Router(settings, ComplexityStrategy()), Leases(runtime), Calibration(runtime.database)
    monkeypatch.setattr(route, "get_runtime", lambda: runtime)
    monkeypatch.setattr(route, "router", lambda: router)
    monkeypatch.setattr(route, "leases", lambda: held)
    monkeypatch.setattr(record, "get_runtime", lambda: runtime)
    monkeypatch.setattr(record, "calibration", lambda: learning)
    monkeypatch.setattr(calibration, "FRESH_SECONDS", 0)
    held.start()
    yield runtime
    held.stop()
    router.close()


@pytest.fixture
def forget(postgres: Postgres) -> Callable[[], None]:
    def clear() -> None:
        with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
            admin.execute("truncate private.token_sums")

    return clear


@pytest.fixture
def learned(postgres: Postgres) -> Callable[[], list[Any]]:
    def rows() -> list[Any]:
        with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
            return admin.execute("select provider, model, calls, y / x from private.token_sums").fetchall()

    return rows


def test_models_are_chosen_at_prices_by_their_own_lines() -> None:
    settings = Settings.model_construct(openai_api_key=SecretStr("k"))
    catalogue, policy = Catalogue.from_settings(settings), PLAIN
    dear = {("openai", model.id): Line(4, 0) for model in catalogue.models if model.id != "gpt-5.4"}
    strategy, request = ComplexityStrategy(), chat("Explain this at length: " + "word " * 3000)
    plain = Answers(settings, strategy, catalogue).choose(request, policy).cents
    calibrated = Answers(settings, strategy, catalogue, Known(lambda: dear)).choose(request, policy).cents
    assert plain.keys() == calibrated.keys() > {"gpt-5.4"}
    dearer = {name for name, cents in calibrated.items() if (cents or 0) > (plain[name] or 0)}
    assert dearer == calibrated.keys() - {"gpt-5.4"}


class _Away:
    """A database that does not answer."""

    def run(self, *_: object) -> None:
        raise Unavailable("the database does not answer")


def answered(runtime: Runtime, tenant: Tenant, prompt: str) -> int:
    """Routed and booked; what was counted in it."""
    job = new_job(prompt, mode=CacheMode.OFF)
    runtime.database.run(Scope.tenant(tenant.id), jobs.submit(tenant.id, [job]))
    route.route.run(str(tenant.id), str(job.id))
    record.record.run([(str(tenant.id), str(job.id))])
    (request,) = runtime.database.run(Scope.tenant(tenant.id), jobs.get(tenant.id, job.id))
    assert request.answer is not None
    return request.answer.input_tokens


def test_an_answer_that_is_booked_teaches_once(
    working: Runtime, tenant: Tenant, forget: Callable[[], None], learned: Callable[[], list[Any]]
) -> None:
    forget()
    reported = answered(working, tenant, "What is the capital of France?")
    ((provider, model, calls, ratio),) = learned()
    counted = extract_features(chat("What is the capital of France?")).telling_tokens
    assert counted is not None
    expected = PRIOR.tokens(counted)
    believed = min(max(reported, expected / 1.6), expected * 1.6)
    assert (provider, model, calls) == ("local", MODEL, 1)
    assert ratio == pytest.approx(believed / counted)


def test_lines_follow_what_was_learned_and_forget_what_is_old(runtime: Runtime, forget: Callable[[], None]) -> None:
    forget()
    process, another = Calibration(runtime.database), Calibration(runtime.database)
    model = f"model {new_id()}"
    assert process.lines() == NO_LINES
    for slope in (1.4, 0.8):
        for _ in range(6):
            process.learn([Pair("p", model, counted, round(slope * counted)) for counted in range(20, 20 + HALF_LIFE)])
        fresh = Calibration(runtime.database).lines()["p", model]
        assert fresh.tokens(1000) == pytest.approx(1000 * slope, rel=0.07)
    assert another.lines()["p", model] == fresh
    assert process.lines() == NO_LINES, "it reads once a minute"


def test_an_outage_is_passed_over(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    process = Calibration(runtime.database)
    monkeypatch.setattr(process, "_lines", {("p", "m"): Line(2, 0)})
    monkeypatch.setattr(process, "_database", _Away())
    assert process.lines() == {("p", "m"): Line(2, 0)}
    process.learn([Pair("p", "m", 10, 20)])
    assert process.lines() == {("p", "m"): Line(2, 0)}
