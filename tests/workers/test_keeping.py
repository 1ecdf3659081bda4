"""Which answers are served again, through the real router, and for how long."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from builders import new_job
from conftest import Postgres, Tenant
from workers.catalogues import catalogue
from workers.provider_server import Server, serving

from aico.core.canonical import cache_key
from aico.core.chat import ChatRequest, Message, Role, Tool
from aico.core.jobs import CacheMode
from aico.routing.strategies.complexity import ComplexityStrategy
from aico.store import jobs
from aico.store.jobs import NewJob
from aico.store.scope import Scope
from aico.workers import route
from aico.workers.leases import Leases
from aico.workers.router import Router
from aico.workers.runtime import Runtime

SHORT, USUAL = 900, 7 * 86_400
MOST_BYTES = 200
CALL = {"id": "call_1", "type": "function", "function": {"name": "clock", "arguments": "{}"}}


@dataclass
class Saying(Server):
    """With what else a message says."""

    beside: dict[str, Any] | None = None

    def reply(self, key: str | None) -> tuple[int, dict[str, Any]]:
        status, body = super().reply(key)
        if status == 200:
            body["choices"][0]["message"] |= self.beside or {}
        return status, body


@pytest.fixture
def provider() -> Iterator[Saying]:
    state = Saying()
    with serving(state):
        yield state


@pytest.fixture
def routed(runtime: Runtime, provider: Saying, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    models = tmp_path / "models.toml"
    models.write_text(catalogue([("one", 0.5, 1), ("two", 0.6, 2)], capabilities=("json", "tools")))
    settings = runtime.settings.model_copy(
        update={
            "local_model_url": provider.url,
            "catalogue_file": models,
            "retry_base_seconds": 0.01,
            "cache_max_answer_bytes": MOST_BYTES,
        }
    )
    own = replace(runtime, settings=settings)
    router = Router(settings, ComplexityStrategy())
    monkeypatch.setattr(route, "get_runtime", lambda: own)
    monkeypatch.setattr(route, "router", lambda: router)
    held = Leases(own)
    monkeypatch.setattr(route, "leases", lambda: held)
    held.start()
    yield own
    held.stop()
    router.close()


def asking(question: str, **fields: Any) -> NewJob:
    request = ChatRequest(messages=(Message(role=Role.USER, content=question),), **fields)
    job = new_job(question, mode=CacheMode.EXACT)
    return replace(job, request=request.model_dump(mode="json", exclude_defaults=True), key=cache_key(request))


def answered(runtime: Runtime, tenant: Tenant, job: NewJob) -> None:
    scope = Scope.tenant(tenant.id)
    runtime.database.run(scope, jobs.submit(tenant.id, [job]))
    route.route.run(str(tenant.id), str(job.id))
    (ended,) = runtime.database.run(scope, jobs.get(tenant.id, job.id))
    assert ended.answer is not None


def lifetime(postgres: Postgres, tenant: UUID) -> int | None:
    """Of the one answer that is kept, in seconds."""
    query = "select round(extract(epoch from expires_at - created_at)) from cache_entries where tenant_id = %s"
    with psycopg.connect(postgres.admin_url) as admin:
        found = admin.execute(query, (tenant,)).fetchall()
    assert len(found) <= 1
    return int(found[0][0]) if found else None


@pytest.mark.parametrize(
    ("text", "beside", "fields", "kept"),
    [
        ("Paris.", {}, {}, True),
        ("I do not know.", {}, {}, True),
        ('{"city": "Paris"}', {}, {"response_format": "json_object"}, True),
        ("The city is Paris.", {}, {"response_format": "json_object"}, False),
        ("Paris.", {"tool_calls": [CALL]}, {"tools": (Tool(name="clock"),)}, False),
        ("Paris.", {}, {"tools": (Tool(name="clock"),)}, True),
        ("", {"refusal": "I would rather not."}, {}, False),
        ("x" * MOST_BYTES, {}, {}, True),
        ("x" * (MOST_BYTES + 1), {}, {}, False),
        ("\u00e9" * MOST_BYTES, {}, {}, False),
    ],
    ids=["words", "ignorance", "json", "no-json", "a-call", "no-call", "refused", "just", "large", "large-in-bytes"],
)
def test_whole_answers_of_a_moderate_size_are_kept(
    routed: Runtime,
    provider: Saying,
    tenant: Tenant,
    postgres: Postgres,
    text: str,
    beside: dict[str, Any],
    fields: dict[str, Any],
    kept: bool,
) -> None:
    provider.replies, provider.beside = [(200, text, "tool_calls" if "tool_calls" in beside else "stop")], beside
    answered(routed, tenant, asking("Which city?", **fields))
    assert (lifetime(postgres, tenant.id) is not None) is kept


def test_an_answer_of_another_model_than_the_named_one_is_a_stopgap(
    routed: Runtime, provider: Saying, tenant: Tenant, postgres: Postgres
) -> None:
    provider.replies = [(400, "not this one", ""), (200, "Paris.", "stop")]
    answered(routed, tenant, asking("Which city?", model="one"))
    assert [body["model"] for body in provider.bodies] == ["one", "two"]
    assert lifetime(postgres, tenant.id) is None
    provider.replies = [(200, "Paris.", "stop")]
    answered(routed, tenant, asking("Which city?", model="one"))
    assert provider.bodies[-1]["model"] == "one"
    assert lifetime(postgres, tenant.id) == USUAL


def test_an_answer_that_was_chosen_for_the_caller_is_kept_whoever_gave_it(
    routed: Runtime, provider: Saying, tenant: Tenant, postgres: Postgres
) -> None:
    provider.replies = [(400, "not this one", ""), (200, "Paris.", "stop")]
    answered(routed, tenant, asking("Which city?"))
    assert lifetime(postgres, tenant.id) == USUAL


@pytest.mark.parametrize(
    ("question", "seconds"), [("What is the weather in Paris today?", SHORT), ("What is the capital of France?", USUAL)]
)
def test_what_is_bound_to_its_time_lives_shortly(
    routed: Runtime, tenant: Tenant, postgres: Postgres, question: str, seconds: int
) -> None:
    answered(routed, tenant, asking(question))
    assert lifetime(postgres, tenant.id) == seconds
