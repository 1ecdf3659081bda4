"""What the database does for Realtime, and what the stand-in's own role may do there."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import anyio
import psycopg
import pytest
from conftest import Postgres
from embedded.realtime.conftest import Live, Person
from embedded.realtime.speaking import speaking
from psycopg import sql

from aico.store.scope import REALTIME

MESSAGES = "select private, extension, event, payload from realtime.messages where topic = %s"
MINE = (
    "select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
    " where c.relkind in ('r', 'p', 'v') and n.nspname not in ('pg_catalog', 'information_schema')"
    " and (has_any_column_privilege(c.oid, 'select, insert, update') or has_table_privilege(c.oid, 'delete, truncate'))"
)


@pytest.fixture
def admin(postgres: Postgres) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres.admin_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def own_role(live: Live) -> Iterator[psycopg.Connection[Any]]:
    """As the stand-in logs in."""
    url = live.realtime._config.database_url.get_secret_value()
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def test_a_message_is_private_unless_it_is_said_otherwise_and_carries_an_id(admin: psycopg.Connection[Any]) -> None:
    topic = f"test:{uuid4()}"
    admin.execute("select realtime.send('{\"a\": 1}', 'e', %s)", (topic,))
    [(private, extension, event, payload)] = admin.execute(MESSAGES, (topic,)).fetchall()
    assert (private, extension, event) == (True, "broadcast", "e")
    assert payload.keys() == {"a", "id"}
    admin.execute("select realtime.send('{\"id\": \"mine\"}', 'e', %s, false)", (f"{topic}:public",))
    [(private, _, _, payload)] = admin.execute(MESSAGES, (f"{topic}:public",)).fetchall()
    assert (private, payload) == (False, {"id": "mine"})


def test_a_message_that_cannot_be_sent_is_a_warning_and_the_transaction_goes_on(admin: psycopg.Connection[Any]) -> None:
    notices: list[str] = []
    admin.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
    with admin.transaction():
        admin.execute("select realtime.send('{}', 'e', null)")
        assert admin.execute("select 1").fetchone() == (1,)
    assert notices[0].startswith("WarnSendingBroadcastMessage: ")


def test_a_user_cannot_send(admin: psycopg.Connection[Any]) -> None:
    topic = f"test:{uuid4()}"
    for role in ("authenticated", "anon"):
        with admin.transaction():
            admin.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
            admin.execute("select realtime.send('{}', 'e', %s, false)", (topic,))
    assert admin.execute(MESSAGES, (topic,)).fetchall() == []


def test_a_trigger_tells_what_changed(live: Live, ann: Person, admin: psycopg.Connection[Any]) -> None:
    admin.execute("create schema told_test; create table told_test.things (id int, n numeric)")
    admin.execute(
        "create function told_test.tell() returns trigger language plpgsql as $$ begin perform"
        " realtime.broadcast_changes(tg_argv[0], tg_op, tg_op, tg_table_name, tg_table_schema, new, old);"
        " return null; end $$"
    )
    topic = f"tenant:{ann.tenant}:things"
    trigger = (
        "create trigger tell after insert or update or delete on told_test.things for each row execute function {}"
    )
    admin.execute(sql.SQL(trigger).format(sql.SQL("told_test.tell({})").format(sql.Literal(topic))))

    async def play() -> None:
        async with speaking(live) as line:
            assert (await line.join(topic, ann, private=True))["status"] == "ok"
            admin.execute("insert into told_test.things values (1, 2.50)")
            admin.execute("update told_test.things set n = 3")
            admin.execute("delete from told_test.things")
            heard = [(await line.hear("broadcast"))["payload"] for _ in range(3)]
            assert [each["event"] for each in heard] == ["INSERT", "UPDATE", "DELETE"]
            first, second, last = (each["payload"] for each in heard)
            assert {name: first[name] for name in ("schema", "table", "operation", "record", "old_record")} == {
                "schema": "told_test",
                "table": "things",
                "operation": "INSERT",
                "record": {"id": 1, "n": 2.5},
                "old_record": None,
            }
            assert (second["record"]["n"], second["old_record"]["n"]) == (3, 2.5)
            assert (last["record"], last["old_record"]["id"]) == (None, 1)

    try:
        anyio.run(play)
    finally:
        admin.execute("drop schema told_test cascade")


def test_messages_are_taken_away_by_later_ones_and_are_heard_all_the_same(live: Live, ann: Person) -> None:
    async def play() -> None:
        async with speaking(live) as line:
            await line.join(ann.topic, ann, private=True)
            with live.database.transaction():
                live.send(ann.topic, {"seq": 1})
                live.database.execute("update realtime.messages set inserted_at = inserted_at - interval '1 hour'")
                live.send(ann.topic, {"seq": 2})
            heard = [(await line.hear("broadcast"))["payload"]["payload"]["seq"] for _ in range(2)]
            assert heard == [1, 2]

    anyio.run(play)
    left = live.database.execute(MESSAGES, (ann.topic,)).fetchall()
    assert [payload["seq"] for *_, payload in left] == [2]


def test_the_stand_in_reaches_no_table(own_role: psycopg.Connection[Any]) -> None:
    assert own_role.execute(MINE.encode()).fetchall() == []
    for role in ("aico_service", "aico_owner", "service_role", "aico_auth", "postgres"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            own_role.execute(sql.SQL("set role {}").format(sql.Identifier(role)))


def test_the_stand_in_reads_what_is_published_and_no_more_of_the_log(
    own_role: psycopg.Connection[Any], admin: psycopg.Connection[Any]
) -> None:
    for call in (
        "pg_create_logical_replication_slot('mine', 'test_decoding')",
        "pg_logical_slot_peek_changes('any', null, null)",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            own_role.execute(f"select {call}".encode())
    own_role.execute("select realtime.open_changes('of_this_test')")
    admin.execute("insert into public.tenants (id, name) values (gen_random_uuid(), %s)", (f"unpublished {uuid4()}",))
    admin.execute("select realtime.send('{\"published\": 1}', 'e', 'of this test')")
    read = b"".join(data for (data,) in own_role.execute("select realtime.read_changes('of_this_test', 100)"))
    assert b"published" in read
    assert b"unpublished" not in read


def test_what_has_been_read_of_the_log_is_not_read_again_and_again(
    own_role: psycopg.Connection[Any], admin: psycopg.Connection[Any]
) -> None:
    def behind() -> int:
        where = "select pg_current_wal_lsn() - restart_lsn from pg_replication_slots where slot_name = 'long_log'"
        [(size,)] = admin.execute(where).fetchall()
        return int(size)

    if admin.info.server_version < 160000:
        pytest.skip("Postgres 15 cannot be asked to note what is open")
    own_role.execute("select realtime.open_changes('long_log')")
    admin.execute("create table public.long_log as select repeat(md5(n::text), 20) from generate_series(1, 5000) n")
    admin.execute("drop table public.long_log")
    assert behind() > 3_000_000
    for _ in range(3):  # what is noted counts once it is on the disk, as with a commit, and has been read past
        own_role.execute("select realtime.read_changes('long_log', 100)")
        own_role.execute("select realtime.trim_changes('long_log')")
        admin.execute("select realtime.send('{}', 'e', 'of this test')")
    assert behind() < 1_500_000


@pytest.mark.parametrize("role", ["authenticated", "anon", "aico_service", "aico_app", "aico_owner", "service_role"])
def test_nobody_else_reads_changes(admin: psycopg.Connection[Any], role: str) -> None:
    with admin.transaction(force_rollback=True):
        admin.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
        for call in (
            "open_changes('x')",
            "read_changes('x', 1)",
            "trim_changes('x')",
            "put_probe('x')",
            "signed_in(null, null)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), admin.transaction():
                admin.execute(f"select realtime.{call}".encode())


def test_tables_that_change_rarely_are_published_and_members_may_read_all_of_them(
    admin: psycopg.Connection[Any],
) -> None:
    rows = admin.execute(
        "select tablename, has_table_privilege('authenticated', format('public.%I', tablename), 'select')"
        " from pg_publication_tables where pubname = 'supabase_realtime' and schemaname = 'public'"
    ).fetchall()
    assert dict(rows) == {"alerts": True, "batches": True, "experiments": True, "answer_samples": True}


def test_the_role_is_known_by_its_name(own_role: psycopg.Connection[Any]) -> None:
    row = own_role.execute(
        "select rolname, rolreplication, rolbypassrls, rolsuper from pg_roles where rolname = current_user"
    ).fetchone()
    assert row == (REALTIME, False, False, False)
