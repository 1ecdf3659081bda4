"""`aico cache` against the real API: the key says whose cache it is."""

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from api.embedding import embed_worker
from builders import ending_of
from cli.conftest import Aico
from cli.live import REDIS_DATABASE, Live, living
from conftest import Postgres, Tenant, new_tenant
from pydantic import SecretStr

from aico.core.access import Permission
from aico.core.ids import new_id
from aico.core.settings import Settings
from aico.store import cache, claims
from aico.store.blocking import Database
from aico.store.scope import Scope

SYSTEM = "You answer for [b]a library[/b]."


@pytest.fixture
def live(settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    with living(settings, new_tenant(database, tuple(Permission)), database, monkeypatch) as found:
        yield found


def keep(live: Live, prompt: str, **fields: object) -> None:
    job, tenant = UUID(live.submit(prompt, **{"cache": "exact", **fields})), live.tenant.id
    (held,) = live.database.run(Scope.tenant(tenant), claims.claim(tenant, job, 30))
    assert live.database.run(Scope.tenant(tenant), claims.finish(tenant, [ending_of(held)], 3600))
    while live.database.run(Scope.system(), cache.add_up(1000)) == [1000]:
        pass


def listed(aico: Aico, *options: str) -> list[dict[str, object]]:
    outcome = aico("cache", "entries", "--json", *options)
    assert outcome.code == 0, outcome.err
    found: list[dict[str, object]] = json.loads(outcome.out)["data"]
    return found


def test_figures_are_shown(aico: Aico, live: Live) -> None:
    keep(live, "one", system=SYSTEM)
    outcome = aico("cache", "stats")
    assert outcome.code == 0, outcome.err
    for text in ("1 answers of at most 100000", "0 exact, 0 semantic, no answers yet", SYSTEM, "learning", "service"):
        assert text in outcome.out
    assert json.loads(aico("cache", "stats", "--json").out)["entries"] == 1


def test_what_is_known_of_a_namespaces_error_is_among_the_figures(aico: Aico, live: Live, postgres: Postgres) -> None:
    keep(live, "one", system=SYSTEM)
    with psycopg.connect(postgres.admin_url, autocommit=True) as admin:
        admin.execute(
            "update cache_namespaces set state = 'serving', cut = 2.5, bound = 0.0081, judged = 400, above = 300,"
            " wrong = 1 where tenant_id = %s",
            (live.tenant.id,),
        )
        admin.execute("update tenants set max_error_rate = 0.02 where id = %s", (live.tenant.id,))
    outcome = aico("cache", "stats")
    for text in ("error allowed per hit: 0.02", "serving", "2.5", "0.0081", "400; 1 of 300 wrong"):
        assert text in outcome.out


TO_RIGA, TO_VIENNA = "Trains from Vienna to Riga", "Trains from Riga to Vienna"
CAPITAL = "What is the capital of France?"


def test_why_an_answer_would_be_served_or_not_is_told(
    aico: Aico, live: Live, settings: Settings, tmp_path: Path
) -> None:
    keep(live, CAPITAL, system=SYSTEM)
    url = f"{settings.redis_url.get_secret_value().rpartition('/')[0]}/{REDIS_DATABASE}"
    with embed_worker(settings.model_copy(update={"redis_url": SecretStr(url)}), tmp_path):
        refused = aico("cache", "explain", TO_RIGA, TO_VIENNA)
        served = aico("cache", "explain", "what is the capital of FRANCE", CAPITAL)
        namespace = str(listed(aico)[0]["namespace"])
        raw = aico("cache", "explain", TO_RIGA, TO_VIENNA, "--namespace", namespace[:6], "--guards", "off", "--json")
        long = aico("cache", "explain", "many words " * 200, CAPITAL)
    assert (refused.code, served.code, raw.code, long.code) == (1, 0, 1, 1)
    for text in ("not served", "Forbidden by order: The same words stand in exchanged roles.", "-5.00", "closeness"):
        assert text in refused.out
    assert served.out.startswith("served\n")
    assert "0.9950" in served.out
    found = json.loads(raw.out)
    assert (found["reason"], found["guard_policy"], found["verdict"]["state"]) == ("score_too_low", "off", "learning")
    assert "does not read all of the new question" in long.out


@pytest.mark.parametrize(
    "arguments",
    [("", "kept"), ("asked", " "), ("asked",), ("a", "b", "--namespace", "xyz"), ("a", "b", "--guards", "none")],
)
def test_what_cannot_be_explained_is_bad_use(aico: Aico, live: Live, arguments: tuple[str, ...]) -> None:
    assert live.url
    assert aico("cache", "explain", *arguments).code == 2


def test_entries_are_listed_filtered_and_shown(aico: Aico, live: Live) -> None:
    keep(live, "one", tags=["a"])
    keep(live, "two")
    assert len(listed(aico)) == 2
    (one,) = listed(aico, "--tag", "a")
    assert listed(aico, "--namespace", str(one["namespace"])[:8], "--limit", "1")
    assert listed(aico, "--model", "gpt-5.4") == []
    shown = json.loads(aico("cache", "show", str(one["id"])).out)
    assert (shown["id"], shown["answer"]["text"]) == (one["id"], "Paris.")
    table = aico("cache", "entries", "--limit", "1")
    assert "smollm2-135m" in table.out
    assert "There are more: --after" in table.err


def test_answers_are_forgotten(aico: Aico, live: Live) -> None:
    for number in range(4):
        keep(live, f"question {number}", tags=["a"] if number else [], **({"system": SYSTEM} if number == 3 else {}))
    entry = str(listed(aico, "--tag", "a")[-1]["id"])
    assert aico("cache", "forget", "--id", entry).code == 0
    again = aico("cache", "forget", "--id", entry)
    assert (again.code, entry in again.err) == (1, True)
    (library,) = [one for one in listed(aico) if one["namespace"] != listed(aico)[-1]["namespace"]]
    assert "Deleted 1 answers" in aico("cache", "forget", "--namespace", str(library["namespace"])).err
    assert "Deleted 1 answers" in aico("cache", "forget", "--tag", "a").err
    assert "Deleted 0 answers" in aico("cache", "forget", "--model", "gpt-5.4").err
    assert "Deleted 1 answers" in aico("cache", "forget", "--all", "--yes").err
    assert listed(aico) == []


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--tag", "a", "--model", "m"),
        ("--all", "--tag", "a", "--yes"),
        ("--all",),  # there is no terminal to ask on
        ("--namespace", "XYZ"),
        ("--namespace", "ffffffff"),
    ],
)
def test_what_is_to_go_is_said_in_one_way(aico: Aico, live: Live, options: tuple[str, ...]) -> None:
    keep(live, "stays")
    assert aico("cache", "forget", *options).code == 2
    assert len(listed(aico)) == 1


def test_a_namespaces_lifetime_is_set(aico: Aico, live: Live) -> None:
    keep(live, "one")
    namespace = str(listed(aico)[0]["namespace"])
    assert "for 3600 s" in aico("cache", "ttl", namespace[:6], "3600").err
    assert "3600 s" in aico("cache", "stats").out
    assert "as long as others" in aico("cache", "ttl", namespace, "service").err
    assert "3600 s" not in aico("cache", "stats").out
    for seconds in ("0", "-1", "soon", "1.5"):
        assert aico("cache", "ttl", namespace, seconds).code == 2
    assert aico("cache", "ttl", "0" * 64, "60").code == 1


def test_what_is_not_there_is_said_to_be_missing(aico: Aico, live: Live) -> None:
    entry = str(new_id())
    outcome = aico("cache", "show", entry)
    assert (outcome.code, outcome.out) == (1, "")
    assert f"the cache keeps no answer {entry}" in outcome.err.replace("\n", " ")


def test_a_key_that_may_not_change_settings_forgets_nothing(
    aico: Aico, live: Live, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AICO_API_KEY", tenant.key)
    outcome = aico("cache", "forget", "--all", "--yes")
    assert outcome.code == 1
    assert "settings:write" in outcome.err
