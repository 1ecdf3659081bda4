"""Why an answer is served for another question, or is not: asked of a real embed worker, and held to what it does."""

from collections.abc import Iterator
from typing import Any

import httpx2
import psycopg
import pytest
import redis
from api.conftest import Connect, assert_problem, serving
from api.embedding import embed_worker
from api.fuzzing import answering
from builders import ending_of
from conftest import Tenant, new_tenant

from aico.core.access import Permission
from aico.core.settings import Settings
from aico.store.blocking import Database
from aico.workers.queue import Queue

OWN_REDIS_DATABASE = "5"
PATH = "/v1/cache/explain"
TO_RIGA, TO_VIENNA = "Trains from Vienna to Riga", "Trains from Riga to Vienna"
CAPITAL, AGAIN = "What is the capital of France?", "what's the capital of France"
LONG = "many words " * 200
WEIGHTS = [0.25, 0.9, 0.1, 0.2, 0.3]

Admin = psycopg.Connection[Any]


@pytest.fixture(scope="module")
def own_settings(base_settings: Settings, redis_url: str) -> Settings:
    url = f"{redis_url.rpartition('/')[0]}/{OWN_REDIS_DATABASE}"
    return base_settings.model_copy(update={"redis_url": type(base_settings.redis_url)(url)})


@pytest.fixture(scope="module")
def address(own_settings: Settings, database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with (
        embed_worker(own_settings, tmp_path_factory.mktemp("embed")),
        answering(own_settings, database, ending_of),
        serving(own_settings) as url,
    ):
        yield url


@pytest.fixture
def tenant(database: Database) -> Tenant:
    """Whose key may do everything."""
    return new_tenant(database, tuple(Permission))


@pytest.fixture
def api(connect: Connect, address: str, tenant: Tenant) -> httpx2.Client:
    return connect(address, tenant.key)


def explained(api: httpx2.Client, asked: str, kept: str, **fields: Any) -> dict[str, Any]:
    found = api.post(PATH, json={"asked": asked, "kept": kept, **fields})
    assert found.status_code == 200, found.text
    body: dict[str, Any] = found.json()
    return body


def completed(api: httpx2.Client, question: str) -> httpx2.Response:
    messages = [{"role": "user", "content": question}]
    return api.post("/v1/chat/completions", json={"model": "auto", "messages": messages}).raise_for_status()


def known(api: httpx2.Client, admin: Admin, tenant: Tenant, change: str) -> str:
    """The tenant's only namespace, of which this is known."""
    (one,) = api.get("/v1/cache/namespaces").raise_for_status().json()["data"]
    admin.execute(f"update cache_namespaces set {change} where tenant_id = %s".encode(), (tenant.id,))  # noqa: S608
    return str(one["namespace"])


def test_what_is_turned_round_is_not_served_and_the_guard_says_why(api: httpx2.Client) -> None:
    found = explained(api, TO_RIGA, TO_VIENNA)
    assert (found["served"], found["reason"], found["guard_policy"]) == (False, "guarded", "strict")
    (guard,) = found["guards"]
    assert (guard["name"], guard["forbids"]) == ("order", True)
    assert found["why"] == f"Forbidden by order: {guard['why']}"
    assert found["cosine"] > 0.95  # which alone would have it served
    assert found["pair"]["score"] < 0.5
    against = {part["name"]: part["contribution"] for part in found["pair"]["features"] if part["contribution"] < 0}
    assert against["order"] == -5
    assert (found["asked_read"], found["kept_read"]) == (True, True)


def test_contributions_add_up_to_what_is_decided_by(api: httpx2.Client) -> None:
    found = explained(api, "How do I reset the password of my router?", "How can I set a new router password?")
    verdict, pair = found["verdict"], found["pair"]
    for log_odds, score, parts in (
        (None, pair["score"], pair["features"]),
        (verdict["log_odds"], verdict["probability"], verdict["features"]),
    ):
        total = sum(part["contribution"] for part in parts)
        assert log_odds is None or total == pytest.approx(log_odds)
        assert score == pytest.approx(1 / (1 + 2.718281828459045**-total), rel=1e-6)
        assert all(part["contribution"] == pytest.approx(part["value"] * part["weight"]) for part in parts)
    assert [part["name"] for part in verdict["features"]] == ["intercept", "pair", "similarity", "margin", "support"]
    assert verdict["probability"] == pytest.approx(pair["score"], abs=1e-4)  # nothing is known but the pair
    assert (verdict["state"], verdict["cut_probability"]) == ("learning", pytest.approx(0.9))
    assert found["served"] is (verdict["log_odds"] >= verdict["cut"])


def test_what_differs_in_nothing_that_has_a_meaning_is_served(api: httpx2.Client) -> None:
    found = explained(api, "what is the capital of  FRANCE", CAPITAL)
    assert (found["served"], found["reason"], found["guards"], found["pair"]["score"]) == (True, "served", [], 0.995)


@pytest.mark.parametrize(("policy", "forbids"), [("strict", True), ("lenient", False), ("off", False)])
def test_the_guards_are_those_of_the_request_or_else_of_the_tenant(
    api: httpx2.Client, policy: str, forbids: bool
) -> None:
    api.patch("/v1/tenant", json={"cache_guards": policy}).raise_for_status()
    own, said = explained(api, TO_RIGA, TO_VIENNA), explained(api, TO_RIGA, TO_VIENNA, guards="strict")
    assert (own["guard_policy"], own["guards"][0]["forbids"], own["served"]) == (policy, forbids, False)
    assert own["reason"] == ("guarded" if forbids else "score_too_low")
    assert (said["guard_policy"], said["reason"]) == ("strict", "guarded")


def test_what_is_further_off_than_the_tenant_allows_is_not_looked_at(api: httpx2.Client) -> None:
    found = explained(api, CAPITAL, "How long do potatoes boil?")
    assert (found["served"], found["reason"]) == (False, "too_far")
    assert found["cosine"] < found["least_cosine"] == 0.65
    api.patch("/v1/tenant", json={"similarity_threshold": 1}).raise_for_status()
    near = explained(api, AGAIN, CAPITAL)
    assert (near["reason"], near["least_cosine"]) == ("too_far", 1)


def test_a_question_that_is_bound_to_its_time_has_no_answer_of_one_that_is_not(api: httpx2.Client) -> None:
    found = explained(api, "Is the library open now?", "Is the library open?")
    assert (found["served"], found["reason"]) == (False, "bound_to_its_time")
    assert found["verdict"]["log_odds"] > found["verdict"]["cut"]
    assert "out of date" in found["why"]
    assert explained(api, "Is the library open?", "Is the library open now?")["reason"] == "served"


@pytest.mark.parametrize(
    ("asked", "kept", "read"),
    [(LONG, CAPITAL, (False, True)), (CAPITAL, LONG, (True, False)), (LONG, LONG, (False, False))],
    ids=["asked", "kept", "both"],
)
def test_a_text_that_is_not_wholly_read_is_never_compared(
    api: httpx2.Client, asked: str, kept: str, read: tuple[bool, bool]
) -> None:
    found = explained(api, asked, kept)
    assert (found["served"], found["reason"]) == (False, "not_wholly_read")
    assert (found["asked_read"], found["kept_read"]) == read
    assert (found["cosine"], found["pair"], found["verdict"], found["guards"]) == (None, None, None, [])


def test_a_hit_was_decided_as_it_is_explained_and_says_how_sure_it_was(
    api: httpx2.Client, admin: Admin, tenant: Tenant
) -> None:
    first = completed(api, CAPITAL)
    assert first.headers["x-aico-cache"] == "miss"
    assert {"cache_score", "error_bound", "error_target", "judged"}.isdisjoint(first.json()["aico"])
    assert not [name for name in first.headers if name.startswith("x-aico-cache-")]
    figures = "state = 'serving', cut = 0.5, bound = 0.0081, judged = 400, above = 300, wrong = 1"
    namespace = known(api, admin, tenant, f"{figures}, weights = '{{{','.join(map(str, WEIGHTS))}}}'")
    admin.execute("update tenants set max_error_rate = 0.02 where id = %s", (tenant.id,))
    found = explained(api, AGAIN, CAPITAL, namespace=namespace)
    assert (found["served"], found["verdict"]["cut"], found["verdict"]["state"]) == (True, 0.5, "serving")
    assert [part["weight"] for part in found["verdict"]["features"]] == WEIGHTS
    hit = completed(api, AGAIN)
    assert hit.headers["x-aico-cache"] == "semantic"
    routing = hit.json()["aico"]
    assert routing["cache_score"] == pytest.approx(found["verdict"]["probability"], abs=1e-4)
    assert routing["similarity"] == pytest.approx(found["cosine"], abs=1e-4)
    assert [routing[name] for name in ("error_bound", "error_target", "judged")] == [0.0081, 0.02, 400]
    said = {name.removeprefix("x-aico-cache-"): value for name, value in hit.headers.items()}
    assert (said["error-bound"], said["error-target"], said["judged"]) == ("0.0081", "0.0200", "400")
    assert float(said["score"]) == pytest.approx(routing["cache_score"], abs=1e-4)
    shown = api.get(f"/v1/jobs/{hit.headers['x-aico-job-id']}").json()["routing"]
    assert {name: routing[name] for name in shown if name in routing} == shown
    again = completed(api, CAPITAL)  # the same request is no matter of opinion
    assert (again.headers["x-aico-cache"], "cache_score" in again.json()["aico"]) == ("exact", False)


def test_while_nothing_is_known_of_the_error_a_hit_has_no_bound(api: httpx2.Client) -> None:
    completed(api, CAPITAL)
    routing = completed(api, "what is the capital of  FRANCE").json()["aico"]
    assert (routing["cache"], routing["judged"], routing["error_target"]) == ("semantic", 0, 0.01)
    assert "error_bound" not in routing


@pytest.mark.parametrize(
    ("change", "reason", "why"),
    [
        ("cut = 9", "score_too_low", "0.9999 is the least that is served."),
        ("state = 'probation'", "namespace_not_serving", "which is enough, but the namespace is on probation."),
        ("state = 'suspended'", "namespace_not_serving", "which is enough, but the namespace is suspended."),
    ],
    ids=["cut", "probation", "suspended"],
)
def test_a_namespace_has_the_last_word(
    api: httpx2.Client, admin: Admin, tenant: Tenant, change: str, reason: str, why: str
) -> None:
    completed(api, CAPITAL)
    namespace, same = known(api, admin, tenant, change), "what is the capital of france"
    found = explained(api, same, CAPITAL, namespace=namespace)
    assert (found["served"], found["reason"]) == (False, reason)
    assert found["why"].endswith(why)
    assert explained(api, same, CAPITAL)["served"] is True


def test_a_namespace_of_another_tenant_is_one_of_nothing(
    api: httpx2.Client, connect: Connect, address: str, database: Database
) -> None:
    completed(api, CAPITAL)
    (theirs,) = (one["namespace"] for one in api.get("/v1/cache/namespaces").json()["data"])
    other = connect(address, new_tenant(database, tuple(Permission)).key)
    for namespace in (theirs, "0" * 64):
        refused = other.post(PATH, json={"asked": AGAIN, "kept": CAPITAL, "namespace": namespace})
        assert assert_problem(refused, 404, "not_found")["param"] == "namespace"


@pytest.mark.parametrize(
    ("change", "status", "place"),
    [
        ({"asked": ""}, 422, "asked"),
        ({"kept": " \n"}, 422, "kept"),
        ({"asked": "a\x00b"}, 422, "asked"),
        ({"kept": None}, 422, "kept"),
        ({"kept": 5}, 422, "kept"),
        ({"namespace": "abc"}, 422, "namespace"),
        ({"namespace": "A" * 64}, 422, "namespace"),
        ({"guards": "none"}, 422, "guards"),
        ({"answer": "Paris"}, 422, "answer"),
        ({"asked": "a" * 200_001}, 413, "asked"),
        ({"kept": "a" * 200_001}, 413, "kept"),
    ],
)
def test_what_cannot_be_compared_is_named(api: httpx2.Client, change: dict[str, Any], status: int, place: str) -> None:
    refused = assert_problem(api.post(PATH, json={"asked": AGAIN, "kept": CAPITAL, **change}), status)
    assert place in str(refused.get("param") or refused["errors"])


def test_only_who_may_read_prompts_may_ask(connect: Connect, address: str, database: Database) -> None:
    for scope in (Permission.PROMPTS_READ, Permission.PROMPTS_WRITE, Permission.USAGE_READ):
        client = connect(address, new_tenant(database, (scope,)).key)
        status = client.post(PATH, json={"asked": AGAIN, "kept": CAPITAL}).status_code
        assert status == (200 if scope is Permission.PROMPTS_READ else 403), scope


def test_nothing_is_stored_and_nothing_is_booked(api: httpx2.Client, admin: Admin, tenant: Tenant) -> None:
    tables = ("jobs", "cache_entries", "cache_namespaces", "cache_checks", "ledger_outbox", "audit_log")

    def counts() -> list[Any]:
        queries = (f"select count(*) from {table} where tenant_id = %s" for table in tables)  # noqa: S608
        return [admin.execute(query.encode(), (tenant.id,)).fetchone() for query in queries]

    before = counts()
    explained(api, AGAIN, CAPITAL)
    assert counts() == before


def test_without_a_worker_callers_are_told_to_come_back(
    connect: Connect, service: str, tenant: Tenant, broker: redis.Redis
) -> None:
    broker.delete(Queue.EMBED.value)
    refused = connect(service, tenant.key).post(PATH, json={"asked": AGAIN, "kept": CAPITAL})
    assert_problem(refused, 503, "unavailable")
    assert refused.headers["Retry-After"] == "1"
    assert all(broker.ttl(key) != -1 for key in broker.keys("aico:asks:*"))  # -1: kept for ever
    broker.delete(Queue.EMBED.value)


def test_it_counts_among_what_a_tenant_may_ask_in_a_minute(
    connect: Connect, own_settings: Settings, address: str, tenant: Tenant
) -> None:
    assert address  # its worker answers
    with serving(own_settings.model_copy(update={"tenant_requests_per_minute": 1})) as limited:
        client = connect(limited, tenant.key)
        first, second = (client.post(PATH, json={"asked": AGAIN, "kept": CAPITAL}) for _ in range(2))
    assert (first.status_code, first.headers["x-ratelimit-remaining-requests"]) == (200, "0")
    assert_problem(second, 429)
