"""With the policy, or at a caller's wish, nothing personal is stored; without the means, nothing at all."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx2
import psycopg
import pytest
from api.conftest import Connect, Rows, Workers, assert_error, assert_problem, serving
from conftest import Tenant, new_tenant
from psycopg import sql

from aico.api.services import CPU_THREADS
from aico.core.access import OPERATOR, Permission
from aico.core.redaction import PiiPolicy
from aico.core.settings import Settings
from aico.core.submission import Submission
from aico.store import tenants
from aico.store.blocking import Database
from aico.store.scope import Scope
from aico.workers import batch
from aico.workers.redacting import Redactor
from aico.workers.runtime import Runtime

MAIL, MARK = "ann.marker@example.com", "ann.marker"
_TABLES = ("jobs", "cache_entries", "batch_faults", "ledger_outbox", "webhook_deliveries", "idempotency_keys")


@pytest.fixture(scope="module")
def redacting(base_settings: Settings) -> Iterator[str]:
    with serving(base_settings.model_copy(update={"pii_redaction": "available"})) as url:
        yield url


@pytest.fixture
def careful(tenant: Tenant, database: Database) -> Tenant:
    """A tenant with the policy."""
    database.run(Scope.tenant(tenant.id), tenants.change(tenant.id, OPERATOR, {"pii": PiiPolicy.REDACT}))
    return tenant


@pytest.fixture
def make_owner(database: Database) -> Callable[[], Tenant]:
    return lambda: new_tenant(database, tuple(Permission))


def stored(admin: psycopg.Connection[Any], tenant: Tenant) -> str:
    """Every row of the tenant's, as text."""
    text = ""
    for table in _TABLES:
        query = sql.SQL("select row_to_json(t)::text from {} t where tenant_id = %s").format(sql.Identifier(table))
        rows = admin.execute(query, (tenant.id,))
        text += "\n".join(row[0] for row in rows)
    return text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/jobs", {"prompt": f"Write to {MAIL}", "system": f"for {MAIL}", "metadata": {"who": MAIL}}),
        (
            "/v1/responses",
            {"model": "auto", "input": f"Write to {MAIL}", "instructions": MAIL, "background": True},
        ),
    ],
)
def test_with_the_policy_nothing_personal_is_stored(
    connect: Connect,
    redacting: str,
    careful: Tenant,
    admin: psycopg.Connection[Any],
    path: str,
    body: dict[str, Any],
) -> None:
    api = connect(redacting, careful.key, **{"Idempotency-Key": "one"})
    assert api.post(path, json=body).is_success
    text = stored(admin, careful)
    assert MARK not in text
    assert "Write to <EMAIL_1>" in text


def test_chat_completions_and_their_cache_see_placeholders_alone(
    connect: Connect, redacting: str, careful: Tenant, admin: psycopg.Connection[Any], workers: Workers
) -> None:
    api = connect(redacting, careful.key)
    job = api.post("/v1/jobs", json={"prompt": f"Greet {MAIL}"}).json()["id"]
    workers.end(careful.id, UUID(job))
    asked = {"model": "auto", "messages": [{"role": "user", "content": "Greet bob@example.com"}]}
    answer = api.post("/v1/chat/completions", json=asked)
    assert answer.headers["x-aico-cache"] == "exact"  # the same question, once it says <EMAIL_1>
    assert MARK not in stored(admin, careful)


def test_a_caller_may_ask_for_it_and_not_for_less(
    connect: Connect, redacting: str, tenant: Tenant, careful: Tenant, admin: psycopg.Connection[Any]
) -> None:
    api = connect(redacting, careful.key)
    assert_problem(api.post("/v1/jobs", json={"prompt": "x", "pii": "off"}), 422)
    refused = {"model": "auto", "messages": [{"role": "user", "content": "x"}]}
    assert_error(api.post("/v1/chat/completions", json=refused, headers={"x-aico-pii": "off"}), 400)


def test_without_the_policy_a_caller_decides_for_one_request(
    connect: Connect, redacting: str, tenant: Tenant, admin: psycopg.Connection[Any]
) -> None:
    api = connect(redacting, tenant.key)
    api.post("/v1/jobs", json={"prompt": f"careful {MAIL}", "pii": "redact"})
    said = {"model": "auto", "input": f"careful too {MAIL}", "background": True}
    api.post("/v1/responses", json=said, headers={"x-aico-pii": "redact"})
    api.post("/v1/jobs", json={"prompt": f"careless {MAIL}"})
    text = stored(admin, tenant)
    assert text.count(MARK) == text.count("careless")
    assert "careful <EMAIL_1>" in text
    assert "careful too <EMAIL_1>" in text


def test_a_comment_is_cleaned_and_still_fits(
    connect: Connect, redacting: str, careful: Tenant, admin: psycopg.Connection[Any], workers: Workers
) -> None:
    api = connect(redacting, careful.key)
    job = api.post("/v1/jobs", json={"prompt": "a question"}).json()["id"]
    workers.end(careful.id, UUID(job))
    said = {"job_id": job, "thumb": "down", "comment": f"{MAIL} " + "a@b.co " * 280}
    given = api.post("/v1/feedback", json=said).json()
    row = admin.execute("select comment from feedback where tenant_id = %s", (careful.id,)).fetchone()
    assert row == (given["comment"],)
    assert given["comment"].startswith("<EMAIL_1> <EMAIL_2> ")
    assert len(given["comment"]) == 2000


def test_a_policy_that_is_set_holds_for_the_next_request(
    connect: Connect, redacting: str, make_owner: Callable[[], Tenant], admin: psycopg.Connection[Any]
) -> None:
    tenant = make_owner()
    api = connect(redacting, tenant.key)
    assert api.get("/v1/tenant").json()["pii"] == "off"
    assert_problem(api.patch("/v1/tenant", json={"pii": "some"}), 422)
    assert_problem(api.patch("/v1/tenant", json={"pii": None}), 422)
    assert api.patch("/v1/tenant", json={"pii": "redact"}).json()["pii"] == "redact"
    assert api.post("/v1/jobs", json={"prompt": f"to {MAIL}"}).is_success
    assert "to <EMAIL_1>" in stored(admin, tenant)


@pytest.mark.parametrize("said", [{}, {"pii": "redact"}])
def test_where_nothing_can_be_redacted_nothing_is_stored(
    connect: Connect, service: str, careful: Tenant, rows: Rows, said: dict[str, str]
) -> None:
    refused = connect(service, careful.key).post("/v1/jobs", json={"prompt": f"to {MAIL}", **said})
    assert_problem(refused, 503, "unavailable")
    assert rows.jobs(careful.id) == 0


def test_other_requests_are_answered_while_texts_are_looked_through(
    connect: Connect, redacting: str, careful: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many texts keep the threads busy: what needs none of them does not queue behind."""
    api, gate, begun = connect(redacting, careful.key), threading.Event(), threading.Semaphore(0)
    clean = Redactor.clean

    def slow(redactor: Redactor, submission: Submission) -> Submission:
        begun.release()
        assert gate.wait(20)
        return clean(redactor, submission)

    monkeypatch.setattr(Redactor, "clean", slow)
    with ThreadPoolExecutor(4) as pool:
        working = [pool.submit(api.post, "/v1/jobs", json={"prompt": f"{n} {MAIL}"}) for n in range(4)]
        assert all(begun.acquire(timeout=20) for _ in range(CPU_THREADS))
        assert api.get("/health/live").is_success
        assert api.get("/v1/jobs").is_success
        assert not any(one.done() for one in working)
        gate.set()
        assert [one.result().status_code for one in working] == [202] * 4


@dataclass(frozen=True)
class Lines:
    """A batch of one line, and a worker that takes its steps."""

    api: httpx2.Client
    tenant: Tenant
    admin: psycopg.Connection[Any]
    file: dict[str, Any]
    batch: str

    def step(self, times: int) -> None:
        for _ in range(times):
            self.admin.execute(
                "update batches set step_at = now(), lease_until = null where tenant_id = %s", (self.tenant.id,)
            )
            batch.batch.run(str(self.tenant.id), str(UUID(self.batch.removeprefix("batch_"))))


@pytest.fixture
def make_lines(
    connect: Connect,
    careful: Tenant,
    admin: psycopg.Connection[Any],
    base_settings: Settings,
    database: Database,
    broker: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str, str], Lines]:
    def make(url: str, redaction: str) -> Lines:
        runtime = Runtime(base_settings.model_copy(update={"pii_redaction": redaction}), database, broker)
        work = batch.work_of(runtime)
        monkeypatch.setattr(batch, "get_runtime", lambda: runtime)
        monkeypatch.setattr(batch, "work", lambda: work)
        api = connect(url, careful.key)
        said = [{"role": "user", "content": f"Write to {MAIL}"}]
        body = {"model": "auto", "messages": said, "aico": {"cache": "off"}}
        line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body}
        upload = {"file": ("a.jsonl", json.dumps(line).encode())}
        file = api.post("/v1/files", data={"purpose": "batch"}, files=upload).json()
        asked = {"input_file_id": file["id"], "endpoint": "/v1/chat/completions", "completion_window": "24h"}
        return Lines(api, careful, admin, file, api.post("/v1/batches", json=asked).json()["id"])

    return make


def test_lines_of_a_batch_are_cleaned_and_their_file_goes_with_it(
    redacting: str, make_lines: Callable[[str, str], Lines]
) -> None:
    lines = make_lines(redacting, "available")
    assert lines.file["expires_at"] - lines.file["created_at"] == 86_400
    lines.step(2)
    text = stored(lines.admin, lines.tenant)
    assert "Write to <EMAIL_1>" in text
    assert MARK not in text
    assert lines.api.get(f"/v1/files/{lines.file['id']}").is_success
    lines.api.post(f"/v1/batches/{lines.batch}/cancel")
    lines.step(4)
    assert lines.api.get(f"/v1/batches/{lines.batch}").json()["status"] == "cancelled"
    assert_error(lines.api.get(f"/v1/files/{lines.file['id']}/content"), 404)


def test_lines_of_a_batch_are_refused_where_nothing_can_be_redacted(
    service: str, rows: Rows, make_lines: Callable[[str, str], Lines]
) -> None:
    lines = make_lines(service, "off")
    lines.step(2)
    assert rows.jobs(lines.tenant.id) == 0
    found = lines.admin.execute("select status, error from batch_faults where tenant_id = %s", (lines.tenant.id,))
    ((status, error),) = found.fetchall()
    assert status == 503
    assert "personal data" in json.dumps(error)
    assert MARK not in stored(lines.admin, lines.tenant)
