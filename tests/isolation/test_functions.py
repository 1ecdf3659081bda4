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
