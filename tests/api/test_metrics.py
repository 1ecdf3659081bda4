"""What Prometheus scrapes, as its own parser reads it, and who may scrape."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx2
import psycopg
import pytest
import redis
from api.conftest import DEAD_PORT, Connect, assert_problem, serving
from conftest import Tenant
from prometheus_client.parser import text_string_to_metric_families
from psycopg.types.json import Jsonb
from pydantic import SecretStr

from aico.api.metrics import exposition
from aico.api.operations import Figures
from aico.api.request_times import DOORS, RequestTimes
from aico.api.routers.metrics import is_loopback
from aico.core.attempts import Attempt, AttemptKind, AttemptOutcome, Baseline
from aico.core.ids import new_id
from aico.core.settings import Settings
from aico.core.usage import Usage
from aico.embedded.ports import LOOPBACK
from aico.store import ledger
from aico.store.blocking import Database
from aico.store.operations import CacheStanding, Total
from aico.store.scope import Scope
from aico.workers.heartbeat import HEARTBEAT_PREFIX, Beat

TOKEN = "a token that only the scraper has"
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parse(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, /, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


@pytest.fixture
def client(connect: Connect, service: str) -> httpx2.Client:
    return connect(service)


@pytest.fixture
def two_routers(broker: redis.Redis) -> Iterator[None]:
    keys = {f"{HEARTBEAT_PREFIX}:route:host:{number}": number for number in (1, 2)}
    for key, busy in keys.items():
        broker.set(key, Beat(progress=time.time(), slots=8, busy=busy).model_dump_json())
    yield
    broker.delete(*keys)


def test_queues_and_workers_are_gauges(
    client: httpx2.Client, connect: Connect, service: str, tenant: Tenant, two_routers: None
) -> None:
    before = parse(client.get("/metrics").text)
    submitted = connect(service, tenant.key).post("/v1/jobs", json={"prompt": "count me", "class": "batch"})
    assert submitted.status_code == 202
    response = client.get("/metrics")
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    after = parse(response.text)

    def live(samples: Samples) -> float:
        states = ("waiting", "admitted")
        return sum(value(samples, "aico_queue_depth", **{"class": "batch", "state": state}) for state in states)

    assert live(after) == live(before) + 1
    assert value(after, "aico_queue_oldest_seconds", **{"class": "batch"}) > 0
    assert value(after, "aico_queue_wait_seconds", **{"class": "batch"}) > 0
    figures = [value(after, name, name="route") for name in ("aico_workers", "aico_worker_slots", "aico_worker_busy")]
    assert figures == [2, 16, 3]
    assert [value(after, "aico_up", part=part) for part in ("postgres", "redis")] == [1, 1]
    assert value(after, "aico_jobs_dead") >= 0


def book(admin: psycopg.Connection[Any], database: Database, tenant: Tenant, *attempts: Attempt) -> None:
    job, baseline = new_id(), Baseline(model="gpt-5.4", cost_cents=Decimal(300))
    events = [
        ledger.event_row(tenant.id, job, None, attempt) | ledger.conclusion(attempt, baseline) for attempt in attempts
    ]
    query = "insert into public.ledger_outbox select * from jsonb_populate_recordset(null::public.ledger_outbox, %s)"
    admin.execute(query, (Jsonb(events),))
    assert database.run(Scope.tenant(tenant.id), ledger.book([tenant.id], [job])) == [len(attempts)]


def attempt(model: str, kind: AttemptKind, cents: int | None, outcome: AttemptOutcome = AttemptOutcome.OK) -> Attempt:
    return Attempt(
        id=new_id(),
        at=datetime.now(UTC),
        kind=kind,
        outcome=outcome,
        provider="local",
        model=model,
        latency_ms=1,
        usage=Usage(input_uncached=7, output=2),
        cost_cents=None if cents is None else Decimal(cents),
    )


def test_what_was_booked_is_counted(
    client: httpx2.Client, admin: psycopg.Connection[Any], database: Database, tenant: Tenant
) -> None:
    before, model = parse(client.get("/metrics").text), f"model {new_id()}"
    book(
        *(admin, database, tenant),
        attempt(model, AttemptKind.CALL, 100),
        attempt(model, AttemptKind.CALL, None),
        attempt(model, AttemptKind.CALL, 50, AttemptOutcome.RETRYABLE),
        attempt(model, AttemptKind.EXACT_HIT, 0),
        attempt(model, AttemptKind.SEMANTIC_HIT, 0),
    )
    text = client.get("/metrics").text
    after = parse(text)

    def grown(name: str, /, **labels: str) -> float:
        key = name, frozenset(labels.items())
        return after[key] - before.get(key, 0)

    where = {"provider": "local", "model": model}
    assert grown("aico_attempts_total", kind="call", outcome="ok", **where) == 2
    assert grown("aico_attempts_total", kind="call", outcome="retryable", **where) == 1
    assert grown("aico_attempts_unpriced_total", **where) == 1
    assert [grown("aico_cache_hits_total", kind=kind) for kind in ("exact", "semantic")] == [1, 1]
    assert [grown("aico_tokens_total", direction=way) for way in ("input", "output")] == [35, 10]
    assert grown("aico_cost_usd_total", **where) == pytest.approx(1.5)
    assert grown("aico_baseline_usd_total") == pytest.approx(12)
    assert [grown("aico_saved_usd_total", lever=lever) for lever in ("exact", "semantic", "routing")] == [
        pytest.approx(3),
        pytest.approx(3),
        pytest.approx(2),
    ]
    assert grown("aico_overspent_usd_total", lever="routing") == pytest.approx(0.5)
    assert str(tenant.id) not in text


def test_a_product_without_history_has_its_sums() -> None:
    samples = parse(exposition(Figures([], 0, []), {}).decode())
    assert value(samples, "aico_baseline_usd_total") == 0
    assert value(samples, "aico_jobs_dead") == 0


def test_models_of_one_kind_are_summed_up() -> None:
    zero = Decimal(0)
    figures = 1, 0, 5, 6, Decimal(700), zero, zero, zero
    totals = [Total("call", "ok", "p", model, *figures, "routing") for model in ("a", "b")]
    samples = parse(exposition(Figures([], 0, totals), {}).decode())
    assert value(samples, "aico_tokens_total", direction="output") == 12
    assert value(samples, "aico_cost_usd_total", provider="p", model="a") == 7


def test_what_is_away_is_left_out(connect: Connect, base_settings: Settings) -> None:
    dead = SecretStr(f"redis://{LOOPBACK}:{DEAD_PORT}/0")
    with serving(base_settings.model_copy(update={"redis_url": dead})) as url:
        samples = parse(connect(url).get("/metrics").text)
    assert [value(samples, "aico_up", part=part) for part in ("postgres", "redis")] == [1, 0]
    names = {name for name, _ in samples}
    assert "aico_queue_depth" in names
    assert "aico_workers" not in names
    nothing = parse(exposition(None, None).decode())
    assert {name for name, _ in nothing} == {"aico_up"}
    assert set(nothing.values()) == {0}


def test_a_token_opens_and_nothing_else_does(connect: Connect, base_settings: Settings, tenant: Tenant) -> None:
    guarded = base_settings.model_copy(update={"metrics_token": SecretStr(TOKEN), "host": "0.0.0.0"})  # noqa: S104 - only named
    with serving(guarded) as url:
        assert connect(url, TOKEN).get("/metrics").status_code == 200
        for credential in (None, "another", tenant.key):
            refused = connect(url, credential).get("/metrics")
            assert_problem(refused, 401, "unauthorized")
            assert TOKEN not in refused.text
        assert_problem(connect(url, Authorization=f"Basic {TOKEN}").get("/metrics"), 401)


def test_an_open_address_without_a_token_serves_none(connect: Connect, base_settings: Settings) -> None:
    with serving(base_settings.model_copy(update={"metrics_token": None, "host": "0.0.0.0"})) as url:  # noqa: S104 - only named
        problem = assert_problem(connect(url).get("/metrics"), 404, "not_found")
    assert "METRICS_TOKEN" in problem["detail"]


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104 - only judged
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.example.com", False),
        ("", False),
    ],
)
def test_only_a_loopback_address_is_this_machines(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_answers_are_timed_by_door_and_kind_of_status(connect: Connect, service: str, tenant: Tenant) -> None:
    client = connect(service, tenant.key)
    before = parse(client.get("/metrics").text)
    client.post("/v1/jobs", json={"prompt": "time me"})
    client.post("/v1/jobs", json={"prompt": ""})
    client.get("/v1/jobs")
    client.get(f"/{new_id()}")
    after = parse(client.get("/metrics").text)

    def grown(le: str, **labels: str) -> float:
        key = "aico_request_seconds_bucket", frozenset({"le": le, **labels}.items())
        return after[key] - before.get(key, 0)

    assert [grown("+Inf", door="/v1/jobs", status=status) for status in ("2xx", "4xx")] == [1, 1]
    assert grown("+Inf", door="other", status="4xx") == 1
    assert grown("+Inf", door="other", status="2xx") == 2  # the list, and the first scrape
    assert {dict(labels)["door"] for name, labels in after if name == "aico_request_seconds_count"} <= {*DOORS, "other"}


def test_times_fall_into_the_buckets_that_hold_them() -> None:
    times = RequestTimes()
    for seconds in (0.005, 0.0051, 0.4, 3600):
        times.note("POST", "/v1/chat", 200, seconds)
    samples = parse(exposition(None, None, times).decode())
    where = {"door": "/v1/chat", "status": "2xx"}
    wanted = {"0.005": 1, "0.01": 2, "0.5": 3, "+Inf": 4}
    assert {le: value(samples, "aico_request_seconds_bucket", le=le, **where) for le in wanted} == wanted
    assert value(samples, "aico_request_seconds_sum", **where) == pytest.approx(3600.4101)


def test_the_error_of_caches_is_that_of_all_samples_together() -> None:
    standing = [CacheStanding("serving", 3, 90, 1), CacheStanding("suspended", 1, 10, 4)]
    samples = parse(exposition(Figures([], 0, [], standing), None).decode())
    assert value(samples, "aico_cache_audit_error_ratio") == pytest.approx(0.05)
    assert value(samples, "aico_cache_audit_samples") == 100
    assert [value(samples, "aico_cache_namespaces", state=one.state) for one in standing] == [3, 1]
    unknown = parse(exposition(Figures([], 0, []), None).decode())
    assert ("aico_cache_audit_error_ratio", frozenset()) not in unknown
