"""What the database says of itself, held against what is written down: tables, policies, rights, functions and roles.

Twice: as it is on a plain Postgres, and as on a hosted project, where whatever is made in `public` is granted to
everybody unless a migration takes it back.
"""

from collections import defaultdict

import pytest
from isolation.expectations import ACTIONS, DEFINER_FUNCTIONS, GLOBAL_KEYS, TABLES, USERS_FUNCTIONS
from isolation.filling import Connection

OWN = {"own": ["public", "private"]}


@pytest.fixture(params=["plain", "hosted"])
def catalogue(request: pytest.FixtureRequest) -> Connection:
    connection: Connection = request.getfixturevalue({"plain": "admin", "hosted": "as_hosted"}[request.param])
    return connection


COMMANDS = {"r": ("select",), "a": ("insert",), "w": ("update",), "d": ("delete",), "*": ACTIONS}


def test_every_table_enables_and_forces_row_level_security(catalogue: Connection) -> None:
    rows = catalogue.execute(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
        " and not (relrowsecurity and relforcerowsecurity)"
    ).fetchall()
    assert rows == []
    hidden = catalogue.execute(
        "select relname from pg_class where relnamespace = 'private'::regnamespace and relkind in ('r', 'p')"
        " and not relrowsecurity"
    ).fetchall()
    assert hidden == []


def test_each_action_that_a_role_reaches_has_one_policy(catalogue: Connection) -> None:
    """A second permissive policy would widen the first."""
    policies: defaultdict[tuple[str, str, str], int] = defaultdict(int)
    for row in catalogue.execute(
        "select c.relname, p.polcmd::text as command, r.rolname from pg_policy p join pg_class c on c.oid = p.polrelid"
        " cross join unnest(p.polroles) as of (role) left join pg_roles r on r.oid = of.role"
        " where c.relnamespace = 'public'::regnamespace and p.polpermissive"
    ):
        for action in COMMANDS[row["command"]]:
            policies[row["relname"], row["rolname"], action] += 1
    expected = {(table, "aico_service", action): 1 for table in TABLES for action in ACTIONS} | {
        (table, "authenticated", "select"): 1 for table in TABLES
    }
    assert dict(policies) == expected


def test_each_policy_names_its_role_and_the_tenant_and_trusts_no_metadata(catalogue: Connection) -> None:
    rows = catalogue.execute(
        "select c.relname, p.polname, p.polroles::text as roles, p.polcmd::text as command,"
        " pg_get_expr(p.polqual, p.polrelid) as seen, pg_get_expr(p.polwithcheck, p.polrelid) as written"
        " from pg_policy p join pg_class c on c.oid = p.polrelid"
        " where c.relnamespace <> 'auth'::regnamespace"  # people belong to no tenant: Supabase's own, or its stand-in's
    ).fetchall()
    for row in rows:
        assert "0" not in row["roles"].strip("{}").split(","), row  # 0: everybody
        texts = [text for text in (row["seen"], row["written"]) if text is not None]
        assert texts, row
        assert not any("metadata" in text for text in texts), row
        assert all("ANY (ARRAY( SELECT" in text for text in texts), row  # asked once, not once a row
        assert (row["written"] is not None) == (row["command"] == "*"), row


def test_roles_hold_the_rights_that_are_written_down_and_no_others(catalogue: Connection) -> None:
    """Truncating, above all, asks no policy. The role of the secret key, on a hosted project, is the operator."""
    rows = catalogue.execute(
        "select c.relname, coalesce(r.rolname, 'PUBLIC') as role, lower(a.privilege_type) as action"
        " from pg_class c cross join aclexplode(c.relacl) a left join pg_roles r on r.oid = a.grantee"
        " where c.relnamespace = any (%(own)s::regnamespace[]) and a.grantee <> c.relowner",
        OWN,
    ).fetchall()
    granted = {(row["relname"], row["role"], row["action"]) for row in rows if row["role"] != "service_role"}
    wanted = {(table, "aico_service", action) for table, expected in TABLES.items() for action in expected.service}
    wanted |= {(table, "authenticated", "select") for table, one in TABLES.items() if one.readers and not one.hidden}
    assert granted == wanted


def test_members_see_the_columns_that_are_not_hidden(catalogue: Connection) -> None:
    rows = catalogue.execute(
        "select c.relname, a.attname, has_column_privilege('authenticated', c.oid, a.attnum, 'select') as shown,"
        " has_column_privilege('anon', c.oid, a.attnum, 'select, insert, update, references') as open,"
        " has_column_privilege('authenticated', c.oid, a.attnum, 'insert, update, references') as written"
        " from pg_attribute a join pg_class c on c.oid = a.attrelid"
        " where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')"
        " and a.attnum > 0 and not a.attisdropped"
    ).fetchall()
    assert [row for row in rows if row["open"] or row["written"]] == []
    readable = [row for row in rows if TABLES[row["relname"]].readers]
    hidden = {(row["relname"], row["attname"]) for row in readable if not row["shown"]}
    assert hidden >= {(table, column) for table, expected in TABLES.items() for column in expected.hidden}
    unread = {(row["relname"], row["attname"]) for row in readable if row["attname"] in {"secret", "hash"}}
    assert unread <= hidden
    assert not [row for row in rows if row["shown"] and not TABLES[row["relname"]].readers]


def test_views_act_with_the_rights_of_whoever_reads_them(catalogue: Connection) -> None:
    rows = catalogue.execute(
        "select relname from pg_class where relnamespace = any (%(own)s::regnamespace[]) and (relkind = 'm'"
        " or relkind = 'v' and not coalesce(reloptions && '{security_invoker=true,security_invoker=on}', false))",
        OWN,
    ).fetchall()
    assert rows == []


def test_every_function_fixes_an_empty_search_path(catalogue: Connection) -> None:
    rows = catalogue.execute(
        "select proname from pg_proc where pronamespace = any (%(own)s::regnamespace[])"
        " and not coalesce('search_path=\"\"' = any (proconfig), false)",
        OWN,
    ).fetchall()
    assert rows == []


def test_functions_with_their_owners_rights_are_those_that_are_written_down(catalogue: Connection) -> None:
    rows = catalogue.execute(
        "select proname, pronamespace::regnamespace::text as schema from pg_proc"
        " where pronamespace = any (%(own)s::regnamespace[]) and prosecdef",
        OWN,
    ).fetchall()
    assert sorted({row["proname"] for row in rows}) == sorted(DEFINER_FUNCTIONS)
    assert {row["schema"] for row in rows} == {"private"}  # which no API of Supabase's shows


@pytest.mark.parametrize("role", ["anon", "authenticated", "aico_app", "authenticator"])
def test_users_may_call_the_functions_that_are_written_down(catalogue: Connection, role: str) -> None:
    """What everybody may call, each of them may."""
    rows = catalogue.execute(
        "select proname from pg_proc where pronamespace = any (%(own)s::regnamespace[])"
        " and has_function_privilege(%(role)s, oid, 'execute')",
        {**OWN, "role": role},
    )
    assert {row["proname"] for row in rows} == (USERS_FUNCTIONS if role == "authenticated" else set())


def test_the_login_owns_nothing_and_takes_two_roles_only(admin: Connection) -> None:
    owned = admin.execute(
        "select relname as name from pg_class where relowner = 'aico_app'::regrole"
        " union all select proname from pg_proc where proowner = 'aico_app'::regrole"
        " union all select nspname from pg_namespace where nspowner = 'aico_app'::regrole"
    ).fetchall()
    assert owned == []
    rows = admin.execute(
        "select rolname from pg_roles where pg_has_role('aico_app', oid, 'set') and rolname <> 'aico_app' order by 1"
    ).fetchall()
    assert [row["rolname"] for row in rows] == ["aico_service", "authenticated"]
    inherited = admin.execute(
        "select rolname from pg_roles where rolname <> 'aico_app' and pg_has_role('aico_app', oid, 'usage')"
    ).fetchall()
    assert inherited == []


def test_only_known_roles_pass_by_row_level_security(admin: Connection) -> None:
    rows = admin.execute("select rolname from pg_roles where rolbypassrls or rolsuper order by 1").fetchall()
    assert [row["rolname"] for row in rows] == ["aico_owner", "postgres", "service_role"]
    members = admin.execute(
        "select m.rolname from pg_auth_members a"
        " join pg_roles m on m.oid = a.member join pg_roles r on r.oid = a.roleid"
        " where r.rolname in ('aico_owner', 'service_role') and m.rolname <> 'authenticator' and not m.rolsuper"
    ).fetchall()
    assert members == []


def test_nobody_but_owners_makes_anything_in_the_schemas(admin: Connection) -> None:
    for role in ("anon", "authenticated", "aico_service", "aico_app"):
        row = admin.execute(
            "select array_agg(nspname::text) as schemas from pg_namespace"
            " where has_schema_privilege(%s, oid, 'create') and nspname !~ '^pg_(toast_)?temp'",
            (role,),
        ).fetchone()
        assert row == {"schemas": None}, role


def test_later_objects_are_nobodys_by_default(admin: Connection) -> None:
    assert admin.execute("select * from pg_default_acl").fetchall() == []


def test_no_sequence_tells_how_much_others_do(catalogue: Connection) -> None:
    sequences = "select relname from pg_class where relkind = 'S' and relnamespace = any (%(own)s::regnamespace[])"
    assert catalogue.execute(sequences, OWN).fetchall() == []


def test_unique_keys_tell_nothing_of_other_tenants(catalogue: Connection) -> None:
    rows = catalogue.execute(
        "select i.relname, c.relname as of, a.attname from pg_index x join pg_class i on i.oid = x.indexrelid"
        " join pg_class c on c.oid = x.indrelid"
        " join pg_attribute a on a.attrelid = c.oid and a.attnum = x.indkey[0]"
        " where x.indisunique and c.relnamespace = 'public'::regnamespace"
    ).fetchall()
    without_tenant = {row["relname"] for row in rows if row["attname"] != "tenant_id"}
    assert without_tenant == set(GLOBAL_KEYS)


def test_references_between_rows_stay_within_a_tenant(catalogue: Connection) -> None:
    rows = catalogue.execute(
        "select conname, confrelid::regclass::text as target,"
        " array(select attname::text from pg_attribute where attrelid = conrelid and attnum = any (conkey)) as columns"
        " from pg_constraint where contype = 'f' and connamespace = 'public'::regnamespace"
    ).fetchall()
    assert rows
    loose = [row for row in rows if row["target"] != "auth.users" and "tenant_id" not in row["columns"]]
    assert loose == []


def test_partitions_are_reached_through_their_parent_only(catalogue: Connection) -> None:
    rows = catalogue.execute(
        "select c.relname, c.relnamespace::regnamespace::text as schema, c.relacl is null or c.relacl = '{}' as closed"
        " from pg_class c where c.relispartition and c.relkind in ('r', 'p')"
    ).fetchall()
    assert len(rows) >= 3
    assert {(row["schema"], row["closed"]) for row in rows} == {("private", True)}
