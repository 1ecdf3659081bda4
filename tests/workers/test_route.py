"""The second hop, with the real database and an OpenAI-compatible server that does as it is told."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from builders import new_job
from conftest import Tenant

from aico.core.jobs import CacheMode, CacheState, Job, JobStatus
from aico.routing.strategies.complexity import ComplexityStrategy
from aico.store import jobs, ledger
from aico.store.scope import Scope
from aico.workers import route
from aico.workers.leases import Leases
from aico.workers.route import Router
from aico.workers.runtime import Runtime

EPOCH, FAR = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


@dataclass
class Server:
    """Answers with `replies` in turn, the last for ever: (status, text or error, finish reason)."""

    replies: list[tuple[int, str, str]] = field(default_factory=lambda: [(200, "Paris.", "stop")])
    asked: int = 0
    url: str = ""

    def reply(self) -> tuple[int, dict[str, Any]]:
        status, text, finish = self.replies[min(self.asked, len(self.replies) - 1)]
        self.asked += 1
        if status != 200:
            return status, {"error": {"message": text, "type": "server_error", "param": None, "code": None}}
        message = {"role": "assistant", "content": text, "refusal": None}
        return status, {
            "id": "x",
            "object": "chat.completion",
            "created": 1,
            "model": "smollm2-135m",
            "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150},
        }


@pytest.fixture
def provider() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            status, body = state.reply()
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture
def routed(runtime: Runtime, provider: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    settings = runtime.settings.model_copy(update={"local_model_url": provider.url, "retry_base_seconds": 0.01})
    router = Router(settings, ComplexityStrategy())
    monkeypatch.setattr(route, "get_runtime", lambda: runtime)
    monkeypatch.setattr(route, "router", lambda: router)
    held = Leases(runtime)
    monkeypatch.setattr(route, "leases", lambda: held)
    monkeypatch.setattr(route, "OUTAGE_PAUSES", (0.01, None))
    yield runtime
    router.close()


def run(runtime: Runtime, tenant: Tenant, prompt: str, mode: CacheMode = CacheMode.EXACT) -> Job:
    job = new_job(prompt, mode=mode)
    runtime.database.run(Scope.tenant(tenant.id), jobs.submit(tenant.id, [job]))
    route.route.run(str(tenant.id), str(job.id))
    return runtime.database.run(Scope.tenant(tenant.id), jobs.get(tenant.id, job.id))[0]


def attempts(runtime: Runtime, tenant: Tenant) -> int:
    return runtime.database.run(Scope.tenant(tenant.id), ledger.pending(tenant.id))[0]


def test_an_answer_ends_the_job_with_its_cost_and_the_baselines(
    routed: Runtime, provider: Server, tenant: Tenant
) -> None:
    job = run(routed, tenant, "What is the capital of France?")
    assert job.status is JobStatus.COMPLETED
    assert job.answer is not None
    assert (job.answer.text, job.answer.input_tokens, job.answer.output_tokens) == ("Paris.", 100, 50)
    assert job.routing is not None
    assert (job.routing.provider, job.routing.model) == ("local", "smollm2-135m")
    assert job.routing.strategy == "complexity"
    assert job.routing.cost_cents is not None
    assert job.routing.baseline_cost_cents is not None
    assert 0 < float(job.routing.cost_cents) < float(job.routing.baseline_cost_cents)
    assert job.routing.reasons
    assert routed.redis.llen("record") == 1


def test_a_transient_failure_is_tried_again_and_every_attempt_is_metered(
    routed: Runtime, provider: Server, tenant: Tenant
) -> None:
    provider.replies = [(503, "busy", ""), (429, "slow down", ""), (200, "Paris.", "stop")]
    job = run(routed, tenant, "retry")
    assert job.status is JobStatus.COMPLETED
    assert job.routing is not None
    assert job.routing.attempts == 3
    assert attempts(routed, tenant) == 3


def test_an_outage_is_waited_out_before_the_job_fails(routed: Runtime, provider: Server, tenant: Tenant) -> None:
    provider.replies = [(503, "busy", "")] * 3 + [(200, "Paris.", "stop")]
    assert run(routed, tenant, "outage").status is JobStatus.COMPLETED
    provider.replies, provider.asked = [(503, "busy", "")], 0
    job = run(routed, tenant, "long outage")
    assert job.status is JobStatus.FAILED
    assert job.error is not None
    assert job.error.code == "all_candidates_failed"
    assert provider.asked == 6


def test_a_refusal_fails_at_once(routed: Runtime, provider: Server, tenant: Tenant) -> None:
    provider.replies = [(400, "no such parameter", "")]
    assert run(routed, tenant, "refused").status is JobStatus.FAILED
    assert provider.asked == 1


@pytest.mark.parametrize(
    ("text", "finish", "mode", "status", "served_again"),
    [
        ("Paris.", "stop", CacheMode.EXACT, JobStatus.COMPLETED, True),
        ("Par", "length", CacheMode.EXACT, JobStatus.INCOMPLETE, False),
        ("", "content_filter", CacheMode.EXACT, JobStatus.INCOMPLETE, False),
        ("  ", "stop", CacheMode.EXACT, JobStatus.COMPLETED, False),
        ("Paris.", "stop", CacheMode.OFF, JobStatus.COMPLETED, False),
    ],
)
def test_only_whole_answers_are_served_again(
    routed: Runtime,
    provider: Server,
    tenant: Tenant,
    text: str,
    finish: str,
    mode: CacheMode,
    status: JobStatus,
    served_again: bool,
) -> None:
    provider.replies = [(200, text, finish)]
    assert run(routed, tenant, "keep?", mode).status is status
    (again,) = routed.database.run(Scope.tenant(tenant.id), jobs.submit(tenant.id, [new_job("keep?")]))
    assert (again.answer is not None) is served_again


def test_a_job_taken_over_from_a_dead_worker_counts_the_lost_attempt(
    routed: Runtime, provider: Server, tenant: Tenant
) -> None:
    job = new_job("taken over", mode=CacheMode.OFF)
    scope = Scope.tenant(tenant.id)
    routed.database.run(scope, jobs.submit(tenant.id, [job]))
    assert routed.database.run(scope, jobs.claim(tenant.id, job.id, 0))
    route.route.run(str(tenant.id), str(job.id))
    (ended,) = routed.database.run(scope, jobs.get(tenant.id, job.id))
    assert ended.routing is not None
    assert ended.routing.cache is CacheState.BYPASS
    assert ended.routing.attempts == 2
    assert routed.database.run(Scope.tenant(tenant.id), ledger.book([tenant.id], [job.id])) == [2]
    rows = routed.database.run(scope, ledger.summary(tenant.id, grain="day", since=EPOCH, until=FAR))
    assert {(row.model, row.attempts, row.unpriced) for row in rows} == {("unknown", 1, 1), ("smollm2-135m", 1, 0)}


def test_a_second_bell_does_not_call_again(routed: Runtime, provider: Server, tenant: Tenant) -> None:
    job = run(routed, tenant, "once")
    route.route.run(str(tenant.id), str(job.id))
    assert provider.asked == 1


def test_an_ended_job_stops_the_call_and_books_what_was_spent(
    routed: Runtime, provider: Server, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Leases, "lost", lambda *_: provider.asked > 0)
    provider.replies = [(503, "busy", "")]
    job = run(routed, tenant, "cancelled")
    assert job.error is not None
    assert job.error.code == "cancelled"
    assert provider.asked == 1
    assert attempts(routed, tenant) == 1
