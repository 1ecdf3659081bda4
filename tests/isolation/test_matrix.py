"""Every public table by every role and every action, each tried and undone, held against what is written down.

The tables come from the catalogue of the database, so that a new one cannot be forgotten.
"""

import json
from typing import Any
from uuid import UUID

import psycopg
import pytest
from isolation.actors import Actor, Logins
from isolation.conftest import Pair
from isolation.expectations import ACTIONS, TABLES, Action
from isolation.filling import Connection
from psycopg import sql

Outcome = dict[tuple[str, str, Action], bool]  # by actor, table and action: whether it touched a row


def public_tables(admin: Connection) -> list[str]:
    rows = admin.execute(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') order by 1"
    )
    return [row["relname"] for row in rows]


class Attempts:
    """What an actor tries with the rows of one tenant."""

    def __init__(self, logins: Logins, tenant: UUID) -> None:
        self._logins = logins
        self._tenant = tenant
        self._rows = {table: self._row(table) for table in public_tables(logins.admin)}

    @property
    def tables(self) -> list[str]:
        return list(self._rows)

    def succeed(self, actor: Actor, table: str, action: Action) -> bool:
        with actor.acting(self._logins) as connection:
            try:
                return connection.execute(*self._statement(table, action)).rowcount > 0
            except psycopg.errors.InsufficientPrivilege:
                return False
            except psycopg.errors.IntegrityError:
                return True  # it was allowed to try: the row is there already, or others hang on it

    def _row(self, table: str) -> dict[str, Any]:
        query = sql.SQL("select to_jsonb(r) as row from {} r where {} = %s limit 1").format(_name(table), _key(table))
        found = self._logins.admin.execute(query, (self._tenant,)).fetchone()
        assert found is not None, f"isolation/filling.py makes no row in {table}"
        return dict(found["row"])

    def _statement(self, table: str, action: Action) -> tuple[sql.Composed, tuple[object, ...]]:
        name, key = _name(table), _key(table)
        if action == "insert":
            columns = sql.SQL(", ").join(map(sql.Identifier, self._insertable(table)))
            copied = "insert into {name} ({columns}) select {columns} from jsonb_populate_record(null::{name}, %s)"
            return sql.SQL(copied).format(name=name, columns=columns), (json.dumps(self._rows[table]),)
        text = {
            "select": "select {key} from {name} where {key} = %s",
            "update": "update {name} set {key} = {key} where {key} = %s",
            "delete": "delete from {name} where {key} = %s",
        }[action]
        return sql.SQL(text).format(name=name, key=key), (self._tenant,)

    def _insertable(self, table: str) -> list[str]:
        rows = self._logins.admin.execute(
            "select attname from pg_attribute where attrelid = ('public.' || quote_ident(%s))::regclass"
            " and attnum > 0 and not attisdropped and attgenerated = '' and attidentity <> 'a'",
            (table,),
        )
        return [row["attname"] for row in rows]


def _name(table: str) -> sql.Identifier:
    return sql.Identifier("public", table)


def _key(table: str) -> sql.Identifier:
    return sql.Identifier("id" if table == "tenants" else "tenant_id")


@pytest.fixture
def attempts(logins: Logins, pair: Pair) -> Attempts:
    return Attempts(logins, pair.ours.id)


def test_every_table_has_its_expectations(admin: Connection) -> None:
    assert sorted(TABLES) == public_tables(admin)


def test_who_has_no_right_to_a_tenant_touches_nothing_of_it(attempts: Attempts, pair: Pair) -> None:
    touched = [
        (actor.name, table, action)
        for actor in pair.outsiders
        for table in attempts.tables
        for action in ACTIONS
        if attempts.succeed(actor, table, action)
    ]
    assert touched == []


def test_members_read_what_their_role_may_and_write_nothing(attempts: Attempts, pair: Pair) -> None:
    outcome: Outcome = {
        (role, table, action): attempts.succeed(actor, table, action)
        for role, actor in pair.insiders
        for table in attempts.tables
        for action in ACTIONS
    }
    assert outcome == {
        (role, table, action): action == "select" and role in TABLES[table].readers for role, table, action in outcome
    }


def test_the_service_does_what_it_may_to_the_tenant_that_it_names(attempts: Attempts, pair: Pair) -> None:
    outcome: Outcome = {
        (pair.service.name, table, action): attempts.succeed(pair.service, table, action)
        for table in attempts.tables
        for action in ACTIONS
    }
    assert outcome == {key: key[2] in TABLES[key[1]].service for key in outcome}


def test_whoever_may_read_sees_one_tenant_and_no_other(logins: Logins, pair: Pair) -> None:
    for actor in (pair.service, *(actor for _, actor in pair.insiders)):
        for table, expected in TABLES.items():
            if actor is not pair.service and not expected.readers:
                continue
            with actor.acting(logins) as connection:
                query = sql.SQL("select distinct {} as tenant from {}").format(_key(table), _name(table))
                assert {row["tenant"] for row in connection.execute(query)} <= {pair.ours.id}, (actor.name, table)


def test_no_row_can_be_handed_to_another_tenant(logins: Logins, pair: Pair) -> None:
    for table, expected in TABLES.items():
        if "update" not in expected.service:
            continue
        moved = sql.SQL("update {name} set {key} = %s where {key} = %s").format(name=_name(table), key=_key(table))
        with pair.service.acting(logins) as connection, pytest.raises(psycopg.Error, match="row-level security"):
            connection.execute(moved, (pair.theirs.id, pair.ours.id))


def test_the_service_for_two_tenants_sees_those_two(logins: Logins, pair: Pair) -> None:
    both = Actor("the service for both", "aico_service", {}, f"{pair.ours.id},{pair.theirs.id}")
    with both.acting(logins) as connection:
        for table in TABLES:
            query = sql.SQL("select distinct {} as tenant from {}").format(_key(table), _name(table))
            assert {row["tenant"] for row in connection.execute(query)} == {pair.ours.id, pair.theirs.id}, table


@pytest.mark.parametrize("tenants", ["%", "*", "'' or true", "{}", "00000000-0000-0000-0000-000000000000"])
def test_no_other_text_stands_for_tenants(logins: Logins, pair: Pair, tenants: str) -> None:
    with Actor("the service", "aico_service", {}, tenants).acting(logins) as connection:
        try:
            assert connection.execute("select id from jobs").fetchall() == []
        except psycopg.errors.InvalidTextRepresentation:
            return  # refused as no id
