"""What a member may hear by Realtime, asked as Realtime asks: with a row of the topic, as the signed-in user."""

from collections.abc import Callable
from uuid import uuid4

import psycopg
import pytest
from isolation.actors import Actor, Logins, user
from isolation.conftest import Pair
from isolation.filling import Connection

from aico.core.access import Role

Topic = Callable[[Pair], str]


def hears(
    admin: Connection, actor: Actor, topic: str, *, asked: str | None = None, extension: str = "broadcast"
) -> bool:
    """Whether the actor sees the row that Realtime would put there while it asks for the topic `asked`."""
    with admin.transaction(force_rollback=True):
        admin.execute(
            "insert into realtime.messages (topic, extension, private) values (%s, %s, true)", (topic, extension)
        )
        admin.execute("select set_config('realtime.topic', %s, true)", (topic if asked is None else asked,))
        with actor.acting(Logins(admin, admin)):
            try:
                return bool(admin.execute("select topic from realtime.messages").fetchall())
            except psycopg.errors.InsufficientPrivilege:
                return False


def test_each_member_hears_topics_of_the_own_tenant(admin: Connection, pair: Pair) -> None:
    for _, actor in pair.insiders:
        for what in ("metrics", "jobs", "jobs:of:today", "100%"):
            assert hears(admin, actor, f"tenant:{pair.ours.id}:{what}"), (actor.name, what)


def test_nobody_else_hears_them(admin: Connection, pair: Pair) -> None:
    for actor in pair.outsiders:
        assert not hears(admin, actor, f"tenant:{pair.ours.id}:metrics"), actor.name


@pytest.mark.parametrize(
    "topic",
    [
        lambda pair: f"tenant:{pair.theirs.id}:metrics",
        lambda pair: f"tenant:{pair.ours.id}x:metrics",
        lambda pair: f"tenant:{str(pair.ours.id)[:-1]}:metrics",
        lambda pair: f"tenant:{pair.ours.id}",
        lambda pair: f"tenant:{pair.ours.id}:",
        lambda pair: f"tenant::{pair.ours.id}:metrics",
        lambda pair: f" tenant:{pair.ours.id}:metrics",
        lambda pair: f"xtenant:{pair.ours.id}:metrics",
        lambda pair: f"tenant:{pair.theirs.id}:tenant:{pair.ours.id}:metrics",
        lambda pair: f"tenant:{pair.theirs.id},{pair.ours.id}:metrics",
        lambda pair: f"{pair.ours.id}:metrics",
        lambda _: "tenant:%:metrics",
        lambda _: "tenant:*:metrics",
        lambda _: "tenant:' or true --:metrics",
        lambda _: "tenant::metrics",
        lambda _: ":::",
        lambda _: "%",
        lambda _: "",
    ],
)
def test_no_other_topic_is_heard_by_the_tenants_owner(admin: Connection, pair: Pair, topic: Topic) -> None:
    owner = dict(pair.insiders)[Role.OWNER]
    assert not hears(admin, owner, topic(pair))


def test_a_row_of_another_topic_is_not_shown_to_who_asks_for_the_own(admin: Connection, pair: Pair) -> None:
    own, other = f"tenant:{pair.ours.id}:metrics", f"tenant:{pair.theirs.id}:metrics"
    owner = dict(pair.insiders)[Role.OWNER]
    assert not hears(admin, owner, other, asked=own)
    assert not hears(admin, owner, own, asked=other)
    assert not hears(admin, owner, own, asked="")


def test_members_neither_send_nor_see_who_is_present(admin: Connection, pair: Pair) -> None:
    topic = f"tenant:{pair.ours.id}:metrics"
    for _, actor in pair.insiders:
        assert not hears(admin, actor, topic, extension="presence")
        with actor.acting(Logins(admin, admin)):
            admin.execute("select set_config('realtime.topic', %s, true)", (topic,))
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                admin.execute("insert into realtime.messages (topic, extension) values (%s, 'broadcast')", (topic,))


def test_who_has_left_a_tenant_hears_it_no_longer(admin: Connection, pair: Pair) -> None:
    role, actor = pair.insiders[-1]
    admin.execute("delete from members where user_id = %s", (pair.members[role],))
    assert not hears(admin, actor, f"tenant:{pair.ours.id}:metrics")
    assert not hears(admin, user("somebody", uuid4()), f"tenant:{pair.ours.id}:metrics")
