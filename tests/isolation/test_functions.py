"""Functions that users call show them their own tenant."""

from builders import new_job, unit_vector
from isolation.actors import Logins
from isolation.conftest import Pair

from aico.core.access import Role


def test_a_members_statistics_are_of_the_own_tenant(logins: Logins, pair: Pair) -> None:
    for _, actor in pair.insiders:
        with actor.acting(logins) as connection:
            stats = connection.execute("select * from get_user_cache_stats()").fetchall()
        assert [(row["tenant_id"], row["entries"]) for row in stats] == [(pair.ours.id, 1)]


def test_a_members_statistics_say_how_far_the_cache_may_be_trusted(logins: Logins, pair: Pair) -> None:
    known = "update cache_namespaces set state = 'serving', cut = 1.5, bound = %s, judged = 40 where tenant_id = %s"
    hits = (
        "insert into rollups (tenant_id, grain, bucket, provider, model, kind, answered, cost_cents,"
        " baseline_cost_cents) values (%s, 'day', '2026-11-01', 'p', 'm', %s, %s, %s, %s)"
    )
    for tenant, bound in ((pair.ours, 0.01), (pair.theirs, 0.02)):
        logins.admin.execute(known, (bound, tenant.id))
        for kind, answered, cost, baseline in (("shared", 3, 0, 30), ("exact_hit", 2, 0, 20), ("judge", 5, 7, 0)):
            logins.admin.execute(hits, (tenant.id, kind, answered, cost, baseline))
    for _, actor in pair.insiders:
        with actor.acting(logins) as connection:
            (row,) = connection.execute("select * from get_user_cache_stats()").fetchall()
        assert (row["shared_hits"], row["exact_hits"], row["saved_cents"]) == (3, 2, 50)
        shown = [(one["state"], one["cut"], one["bound"], one["judged"]) for one in row["namespaces"]]
        assert ("serving", 1.5, 0.01, 40) in shown
        assert 0.02 not in {bound for _, _, bound, _ in shown}


def test_a_search_by_meaning_finds_answers_of_the_own_tenant(logins: Logins, pair: Pair) -> None:
    """Both tenants keep an answer to the same prompt, under the same namespace and with the same vector."""
    matches = "select id from match_cache_entries(%s, %s, 'variant', %s::extensions.halfvec, 0.1, 10)"
    vector, namespace = str(unit_vector(1).tolist()), new_job("private").key.namespace
    for actor in (pair.service, dict(pair.insiders)[Role.VIEWER]):
        with actor.acting(logins) as connection:
            assert len(connection.execute(matches, (pair.ours.id, namespace, vector)).fetchall()) == 1
            assert connection.execute(matches, (pair.theirs.id, namespace, vector)).fetchall() == []
    for actor in pair.outsiders:
        if actor.role == "authenticated":
            with actor.acting(logins) as connection:
                assert connection.execute(matches, (pair.ours.id, namespace, vector)).fetchall() == []
                stats = connection.execute("select tenant_id from get_user_cache_stats()").fetchall()
                assert pair.ours.id not in {row["tenant_id"] for row in stats}


def test_a_member_reads_how_far_the_own_tenants_cache_may_be_trusted(logins: Logins, pair: Pair) -> None:
    """Straight from the table, as a dashboard does; both tenants have a namespace of the same name."""
    change = "update cache_namespaces set state = 'serving', bound = %s, judged = 40 where tenant_id = %s"
    for tenant, bound in ((pair.ours, 0.01), (pair.theirs, 0.02)):
        logins.admin.execute(change, (bound, tenant.id))
    query = "select tenant_id, state, bound, judged from cache_namespaces where namespace = 'n'"
    for _, actor in pair.insiders:
        with actor.acting(logins) as connection:
            rows = connection.execute(query).fetchall()
        assert [tuple(row.values()) for row in rows] == [(pair.ours.id, "serving", 0.01, 40)]
    for actor in pair.outsiders:
        if actor.role == "authenticated":
            with actor.acting(logins) as connection:
                assert pair.ours.id not in {row["tenant_id"] for row in connection.execute(query)}
