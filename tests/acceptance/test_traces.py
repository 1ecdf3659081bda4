"""The whole way of a job through real processes is one trace, whatever dies on it, and no word of it is in there."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from signal import SIGKILL
from typing import Any

import httpx2
import pytest
from collecting import Collector, Seen, collecting
from faults.world import wait_until
from workers.provider_server import Server, serving

from acceptance.conftest import Running, stack

MARK = "heliotrope-4714"
TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
ENVIRONMENT = {
    "OPENAI_COMPATIBLE_MODELS": "parrot",
    "LEASE_SECONDS": "2",
    "DATABASE_URL": "",
    "REDIS_URL": "",
    "OTEL_EXPORTER_OTLP_HEADERS": "x-team=a%20b",
    "OTEL_BSP_SCHEDULE_DELAY": "50",
}


@dataclass(frozen=True)
class Traced:
    running: Running
    api: httpx2.Client
    provider: Server
    collector: Collector

    def ask(self, prompt: str, traceparent: str | None = None, **more: Any) -> dict[str, Any]:
        headers = {} if traceparent is None else {"traceparent": traceparent}
        body = {"prompt": f"{prompt} {MARK}", "model": "parrot", "fallback": False, **more}
        answered: dict[str, Any] = self.api.post("/v1/chat", json=body, headers=headers).json()
        return answered

    def trace_of(self, job: str, *more: str) -> list[Seen]:
        """The trace of a job, once its own span, the request's and those of these names are there."""

        def spans() -> list[Seen]:
            own = [one for one in list(self.collector.spans) if one.attributes.get("aico.job.id") == job]
            return self.collector.of(own[0].trace) if own else []

        wait_until(lambda: {"job", "POST /v1/chat", *more} <= {span.name for span in spans()}, "the trace")
        return spans()


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    with collecting() as collector, serving() as provider:
        said = {"OPENAI_COMPATIBLE_URL": provider.url, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        folder = tmp_path_factory.mktemp("traced")
        with stack(folder, "--no-flower", "--no-local-model", environment={**ENVIRONMENT, **said}) as running:
            headers = {"Authorization": f"Bearer {running.key}"}
            with httpx2.Client(base_url=running.url, headers=headers, timeout=70) as api:
                provider.replies = [(200, f"it is {MARK}", "stop")]
                yield Traced(running, api, provider, collector)


@pytest.mark.timeout(180)
def test_a_job_is_one_trace_under_the_span_of_its_caller(product: Traced) -> None:
    job = product.ask("one way", f"00-{TRACE}-{CALLER}-01", cache="semantic")
    collector = product.collector
    names = {"POST /v1/chat", "job", "queue", "cache lookup", "route", "decide", "chat parrot"}
    wait_until(lambda: names <= {span.name for span in collector.of(TRACE)}, "the trace")
    request, own = collector.named(TRACE, "POST /v1/chat"), collector.named(TRACE, "job")
    route, call = collector.named(TRACE, "route"), collector.named(TRACE, "chat parrot")
    assert (request.service, request.parent) == ("aico-api", CALLER)
    assert own.parent == request.id
    under = {span.name for span in collector.of(TRACE) if span.parent == own.id}
    assert under == {"queue", "cache lookup", "route"}
    assert {span.name for span in collector.of(TRACE) if span.parent == route.id} == {"decide", "chat parrot"}
    assert (route.service, collector.named(TRACE, "cache lookup").service) == ("aico-route", "aico-embed")
    assert own.attributes["aico.job.id"] == request.attributes["aico.job.id"] == job["id"]
    assert request.attributes["http.response.status_code"] == 200
    assert own.attributes["aico.job.status"] == "completed"
    assert own.began <= route.began <= call.began <= call.ended <= route.ended
    embedded = [span for span in collector.spans if own.id in span.links]
    assert [span.attributes["gen_ai.operation.name"] for span in embedded] == ["embeddings"]


@pytest.mark.timeout(180)
def test_a_call_is_told_by_the_conventions(product: Traced) -> None:
    job = product.ask("what is told", cache="off", max_tokens=64)
    (call,) = (span for span in product.trace_of(job["id"]) if span.name == "chat parrot")
    host, port = product.provider.url.removeprefix("http://").removesuffix("/v1").split(":")
    assert call.kind == 3  # client
    assert (
        call.attributes.items()
        >= {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai_compatible",
            "gen_ai.request.model": "parrot",
            "gen_ai.request.max_tokens": 64,
            "gen_ai.response.model": "smollm2-135m",
            "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 50,
            "server.address": host,
            "server.port": int(port),
        }.items()
    )
    assert not call.failed
    log = (product.running.state_dir / "logs" / "route.log").read_text()
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]  # Celery greets in its own words
    (line,) = (line for line in lines if line["event"] == "job_ended" and line["job_id"] == job["id"])
    assert line["trace_id"] == call.trace
    assert line["tenant_id"] == product.collector.named(call.trace, "job").attributes["aico.tenant.id"]


@pytest.mark.timeout(180)
def test_each_failed_attempt_has_a_span_with_its_status(product: Traced) -> None:
    product.provider.asked, product.provider.replies = 0, [(500, f"no {MARK}", ""), (200, f"yes {MARK}", "stop")]
    job = product.ask("fails once", cache="off")
    calls = [span for span in product.trace_of(job["id"]) if span.name == "chat parrot"]
    assert [(span.failed, span.attributes.get("error.type")) for span in calls] == [(True, "500"), (False, None)]
    assert "gen_ai.usage.input_tokens" not in calls[0].attributes


@pytest.mark.timeout(180)
def test_an_answer_from_the_cache_ends_its_trace_without_a_call(product: Traced) -> None:
    product.ask("twice", cache="exact")
    again = product.ask("twice", cache="exact")
    spans = product.trace_of(again["id"])
    assert {span.name for span in spans} == {"POST /v1/chat", "job"}
    assert next(span for span in spans if span.name == "job").attributes["aico.cache.result"] == "exact"


@pytest.mark.timeout(180)
def test_whoever_takes_over_from_a_dead_worker_goes_on_with_its_trace(product: Traced) -> None:
    product.provider.gate.clear()
    before = product.provider.asked
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(product.ask, "cut off", cache="off")
        wait_until(lambda: product.provider.asked > before, "the call")
        os.kill(product.running.part("route").pid, SIGKILL)
        product.provider.gate.set()
        job = asking.result(60)
    spans = product.trace_of(job["id"], "route")
    (own,) = (span for span in spans if span.name == "job")
    (route,) = (span for span in spans if span.name == "route")  # the dead worker's was never told
    assert route.parent == own.id
    assert route.attributes["aico.job.fence"] == 2
    assert [(name, event["aico.reason"]) for name, event in own.events] == [("put_back", "worker_lost")]


@pytest.mark.timeout(180)
def test_a_cancelled_job_is_told_too(product: Traced) -> None:
    product.provider.gate.clear()
    made = product.api.post("/v1/jobs", json={"prompt": MARK, "model": "parrot", "cache": "off"}).json()
    product.api.post(f"/v1/jobs/{made['id']}/cancel")
    product.provider.gate.set()

    def own() -> list[Seen]:
        return [
            one for one in product.collector.spans if one.name == "job" and one.attributes["aico.job.id"] == made["id"]
        ]

    wait_until(lambda: bool(own()), "the job's span")
    assert [(span.failed, span.attributes["error.type"]) for span in own()] == [(True, "cancelled")]


@pytest.mark.timeout(180)
def test_no_word_of_a_question_or_an_answer_is_sent(product: Traced) -> None:
    product.ask("stop words", cache="off", stop=[MARK], metadata={"a": MARK})
    product.api.get(f"/v1/jobs/{MARK}", params={MARK: MARK})
    product.api.request(MARK.replace("-", ""), "/v1/jobs")
    product.trace_of(product.ask("the last", cache="off")["id"])
    assert product.collector.bodies
    assert not any(MARK.encode() in body or MARK.replace("-", "").encode() in body for body in product.collector.bodies)
    assert all(headers["x-team"] == "a b" for headers in product.collector.headers)
