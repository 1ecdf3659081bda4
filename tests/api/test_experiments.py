"""Experiments over the API: drafted, started, looked at and stopped, and what callers notice of them."""

from typing import Any

import httpx2
import pytest
from api.conftest import Connect, assert_problem
from api.drafting import ARMS, PATH, draft, owned, owner
from conftest import Tenant, new_tenant
from experimenting import Lab, attempt

from aico.core.access import Permission
from aico.core.keys import make_key
from aico.store import api_keys
from aico.store.blocking import Database
from aico.store.scope import Scope

__all__ = ["owned", "owner"]


def test_an_experiment_is_drafted_read_changed_and_removed(owner: httpx2.Client) -> None:
    made = draft(owner, description="cheaper?", plan={"primary": "latency", "max_days": 3})
    assert (made["status"], made["unit"], made["plan"]["alpha"]) == ("draft", "job", 0.05)
    assert [arm["control"] for arm in made["arms"]] == [True, False]
    one = f"{PATH}/{made['id']}"
    assert owner.get(one).json() == made
    changed = owner.patch(one, json={"name": "y", "unit": "user", "arms": [{"name": "a"}, {"name": "b"}]}).json()
    assert (changed["name"], changed["unit"], changed["description"]) == ("y", "user", "cheaper?")
    assert [arm["control"] for arm in changed["arms"]] == [True, False]
    assert changed["plan"] == made["plan"]
    assert [listed["id"] for listed in owner.get(PATH).json()["data"]] == [made["id"]]
    assert owner.delete(one).status_code == 204
    assert_problem(owner.get(one), 404, "not_found")
    log = owner.get("/v1/audit-log").json()["data"]
    actions = [entry["action"] for entry in log if entry["subject"] == made["id"]]
    assert actions == ["experiment.removed", "experiment.changed", "experiment.created"]


def test_while_it_runs_nothing_but_its_words_changes(owner: httpx2.Client) -> None:
    made = draft(owner)
    one = f"{PATH}/{made['id']}"
    assert owner.post(f"{one}/start").json()["status"] == "running"
    refused = assert_problem(owner.patch(one, json={"name": "z", "arms": ARMS, "plan": {}}), 409, "conflict")
    assert refused["detail"].startswith("the experiment is running: arms and plan cannot change any more")
    assert refused["param"] == "arms"
    assert owner.get(one).json()["name"] == "x"
    assert owner.patch(one, json={"name": "z", "description": "so"}).json()["name"] == "z"
    assert_problem(owner.delete(one), 409, "conflict")
    assert_problem(owner.post(f"{one}/start"), 409, "conflict")
    stopped = owner.post(f"{one}/stop").json()
    assert stopped["status"] == "stopped"
    assert stopped["stopped_because"].startswith("stopped by key:")
    for again in ("start", "stop"):
        assert "is stopped" in assert_problem(owner.post(f"{one}/{again}"), 409, "conflict")["detail"]
    assert owner.delete(one).status_code == 204


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"arms": [*ARMS, {"name": "c", "treatment": {"model": "no-such"}}]}, 404, "arms.2.treatment.model"),
        ({"arms": [*ARMS, {"name": "c", "treatment": {"model": "gpt-5.4"}}]}, 404, "arms.2.treatment.model"),
        ({"arms": [*ARMS, {"name": "c", "treatment": {"model": "auto"}}]}, 400, "arms.2.treatment.model"),
        ({"arms": [*ARMS, {"name": "c", "treatment": {"strategy": "guess"}}]}, 422, None),
        ({"arms": ARMS[:1]}, 422, None),
        ({"arms": [ARMS[0], ARMS[0]]}, 422, None),
        ({"arms": [{**arm, "control": True} for arm in ARMS]}, 422, None),
        ({"arms": [*ARMS, {"name": "c", "weight": 0}]}, 422, None),
        ({"plan": {"guards": [{"metric": "cost", "margin": 1}, {"metric": "cost", "margin": 0.5}]}}, 422, None),
        ({"plan": {"alpha": 0.5}}, 422, None),
        ({"arms": [*ARMS, {"name": "c", "weight": 1e-60}]}, 422, None),
        ({"plan": {"max_days": True}}, 422, None),
        ({"plan": {"guards": [{"metric": "cost", "margin": True}]}}, 422, None),
        ({"unit": "week"}, 422, None),
        ({"name": "\x00"}, 422, None),
    ],
    ids=[f"case {number}" for number in range(15)],
)
def test_what_makes_no_sense_is_refused_and_stores_nothing(
    owner: httpx2.Client, body: dict[str, Any], status: int, param: str | None
) -> None:
    problem = assert_problem(owner.post(PATH, json={"name": "x", "arms": ARMS, **body}), status)
    assert param is None or problem["param"] == param
    assert owner.get(PATH).json()["data"] == []


def test_names_are_given_once(owner: httpx2.Client) -> None:
    draft(owner)
    other = draft(owner, name="y")
    refused = assert_problem(owner.post(PATH, json={"name": "x", "arms": ARMS}), 409, "conflict")
    assert (refused["detail"], refused["param"]) == ("there is an experiment 'x' already", "name")
    assert_problem(owner.patch(f"{PATH}/{other['id']}", json={"name": "x"}), 409, "conflict")
    assert owner.patch(f"{PATH}/{other['id']}", json={"name": "y"}).status_code == 200
    for nothing in ({"name": None}, {"arms": None}):
        assert_problem(owner.patch(f"{PATH}/{other['id']}", json=nothing), 422)


def test_a_rival_is_named(owner: httpx2.Client) -> None:
    first, second = draft(owner), draft(owner, name="y")
    assert owner.post(f"{PATH}/{first['id']}/start").status_code == 200
    refused = assert_problem(owner.post(f"{PATH}/{second['id']}/start"), 409, "conflict")
    assert refused["detail"] == "the running experiment 'x' changes the same; stop it first"


def with_key(
    connect: Connect, service: str, database: Database, tenant: Tenant, permission: Permission
) -> httpx2.Client:
    key = make_key("another")
    database.run(Scope.tenant(tenant.id), api_keys.create(tenant.id, key, [permission]))
    return connect(service, key.secret.get_secret_value())


def test_whoever_may_not_administer_reads_results_and_no_more(
    owner: httpx2.Client, owned: Tenant, connect: Connect, service: str, database: Database
) -> None:
    made = draft(owner)
    one = f"{PATH}/{made['id']}"
    reader = with_key(connect, service, database, owned, Permission.USAGE_READ)
    assert reader.get(f"{one}/results").status_code == 200
    assert reader.get(one).status_code == 200
    for refused in (
        reader.post(PATH, json={"name": "z", "arms": ARMS}),
        reader.patch(one, json={"name": "z"}),
        reader.post(f"{one}/start"),
        reader.post(f"{one}/stop"),
        reader.delete(one),
    ):
        assert_problem(refused, 403, "forbidden")
    writer = with_key(connect, service, database, owned, Permission.PROMPTS_WRITE)
    assert_problem(writer.get(f"{one}/results"), 403, "forbidden")


def test_another_tenants_experiment_is_not_there(
    owner: httpx2.Client, connect: Connect, service: str, database: Database
) -> None:
    made = draft(owner)
    stranger = connect(service, new_tenant(database, tuple(Permission)).key)
    one = f"{PATH}/{made['id']}"
    for method, path, body in (
        ("GET", one, None),
        ("GET", f"{one}/results", None),
        ("PATCH", one, {"name": "mine"}),
        ("POST", f"{one}/start", None),
        ("POST", f"{one}/stop", None),
        ("DELETE", one, None),
    ):
        assert_problem(stranger.request(method, path, json=body), 404, "not_found")
    assert stranger.get(PATH).json()["data"] == []
    assert owner.get(one).json() == made


def test_results_tell_the_arms_apart_in_figures_and_words(
    owner: httpx2.Client, owned: Tenant, database: Database
) -> None:
    lab = Lab(database, owned)
    made = draft(owner, plan={"minimum_per_arm": 50, "guards": []})
    one = f"{PATH}/{made['id']}"
    owner.post(f"{one}/start")
    for number in range(60):
        for arm, cents in (("as-it-is", 10 + number % 3), ("local", 1 + number % 2)):
            job = lab.ended(lab.in_arm(made["id"], arm), [attempt(str(cents))])
            if number % 2:
                lab.judge(job, 1.0)
    found = owner.get(f"{one}/results").json()
    control, local = found["arms"]
    assert (control["jobs"], local["jobs"], local["units"]) == (60, 60, None)
    assert (control["metrics"]["cost"]["mean"], local["metrics"]["cost"]["mean"]) == (11, 1.5)
    assert local["metrics"]["quality"]["n"] == 30
    cost = next(each for each in found["comparisons"] if each["metric"] == "cost")
    assert (cost["arm"], cost["primary"], cost["verdict"], cost["why"]) == ("local", True, "better", "")
    assert cost["difference"]["value"] == -9.5
    assert cost["says"].startswith("local costs less than the control: -86.4 % (-8")
    quality = next(each for each in found["comparisons"] if each["metric"] == "quality")
    assert quality["says"].startswith("local: quality is undecided, as local has 30 observations of 50 at least")
    assert (found["split"]["observed"], found["split"]["suspicious"]) == ({"as-it-is": 60, "local": 60}, False)
    assert found["split"]["p"] == 1
    assert [(day["arm"], day["jobs"], day["cost"]) for day in found["days"]] == [
        ("as-it-is", 60, 11),
        ("local", 60, 1.5),
    ]
    assert "The intervals take jobs as independent of each other." in found["notes"]


def test_results_are_there_before_the_first_job(owner: httpx2.Client) -> None:
    made = draft(owner, unit="key")
    found = owner.get(f"{PATH}/{made['id']}/results").json()
    assert [arm["units"] for arm in found["arms"]] == [0, 0]
    assert found["days"] == []
    assert {each["verdict"] for each in found["comparisons"]} == {"undecided"}
