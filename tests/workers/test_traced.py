"""What workers tell of jobs beside their own way: judges, batches of providers, and ends that nobody answered."""

import time
from collections.abc import Iterator

import pytest
from builders import new_job
from conftest import Postgres, Tenant
from listening import listening
from workers.asking import KEPT, Begin, in_doubt
from workers.auditing import SAME
from workers.auditing import play as play  # noqa: PLC0414 - a fixture of `in_doubt`
from workers.comparing import JUDGE, LARGE, Play
from workers.comparing import play as comparing
from workers.laning import Scene, playing

from aico.store import jobs
from aico.store.scope import Scope
from aico.tracing.context import ids_of
from aico.tracing.spans import Kind, Span
from aico.workers.runtime import Runtime
from aico.workers.sweep import Sweeper

__all__ = ["comparing", "in_doubt", "play"]


@pytest.fixture
def told() -> Iterator[list[Span]]:
    with listening() as found:
        yield found


def test_verdicts_stand_in_the_span_of_the_comparison_in_the_jobs_trace(
    comparing: Play, tenant: Tenant, told: list[Span]
) -> None:
    scene = comparing()
    job = scene.answered(tenant)
    told.clear()
    scene.compare(tenant, job.id)
    (compare,) = (span for span in told if span.name == "compare")
    assert compare.parent is not None
    assert (compare.parent.trace, compare.parent.span) == ids_of(job.id)
    assert [(name.name, name.attributes["gen_ai.evaluation.score.value"]) for name in compare.events] == [
        ("gen_ai.evaluation.result", 0.0),
        ("gen_ai.evaluation.result", 0.0),
    ]
    assert {event.attributes["gen_ai.evaluation.name"] for event in compare.events} == {"answer_quality"}
    calls = [span for span in told if span.kind is Kind.CLIENT]
    assert [span.attributes["aico.model.id"] for span in calls] == [LARGE, JUDGE, JUDGE]
    assert {span.parent for span in calls} == {compare.context}
    assert [span.attributes["aico.cost.usd"] for span in calls] == pytest.approx([0.0003, 0.0006, 0.0006])


def test_what_a_judge_says_of_a_kept_answer_is_told_without_its_words(in_doubt: Begin, told: list[Span]) -> None:
    doubt = in_doubt()
    doubt.says(SAME)
    doubt.route(doubt.job())
    (route,) = (span for span in told if span.name == "route")
    (event,) = route.events
    assert (event.name, event.attributes["gen_ai.evaluation.score.label"]) == ("gen_ai.evaluation.result", "same")
    (own,) = (span for span in told if span.name == "job")
    assert (own.attributes["aico.cache.result"], own.error) == ("semantic", None)
    assert KEPT not in str(told)


def test_a_line_of_a_providers_batch_is_a_call_in_its_jobs_trace(
    runtime: Runtime,
    tenant: Tenant,
    postgres: Postgres,
    monkeypatch: pytest.MonkeyPatch,
    told: list[Span],
) -> None:
    with playing("openai", runtime, tenant, postgres, monkeypatch) as scene:
        job = answered_in_a_batch(scene)
    (call,) = (span for span in told if span.kind is Kind.CLIENT)
    (own,) = (span for span in told if span.name == "job")
    assert call.parent == own.context
    assert own.attributes["aico.route.lane"] == "batch"
    assert own.attributes["aico.job.id"] == job
    assert call.attributes["gen_ai.response.finish_reasons"] == ["stop"]


def answered_in_a_batch(scene: Scene) -> str:
    job = scene.park("What is the capital of France?")
    scene.form()
    scene.step()
    scene.step()
    return str(getattr(job, "id", job))


def test_a_job_that_expires_is_told_with_the_reason(runtime: Runtime, tenant: Tenant, told: list[Span]) -> None:
    job = new_job("overdue", timeout_seconds=0.01)
    runtime.database.run(Scope.tenant(tenant.id), jobs.submit(tenant.id, [job]))
    time.sleep(0.05)
    Sweeper(runtime).sweep()
    (own,) = (span for span in told if span.attributes.get("aico.job.id") == str(job.id))
    assert (own.name, own.error, own.parent) == ("job", "deadline_exceeded", None)
    assert (own.context.trace, own.context.span) == ids_of(job.id)
    assert 0 < own.began < own.ended
