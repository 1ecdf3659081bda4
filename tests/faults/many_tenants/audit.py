"""Every id, mark and answer, wherever it turned up, held against the tenant to whom it belongs."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from conftest import Tenant
from faults.many_tenants.callers import Caller
from psycopg import sql

_ID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")
_ANSWER = re.compile(r"Answer (\d+) to: ")

Owner = psycopg.Connection[dict[str, Any]]


def answer_number(text: str) -> int:
    found = _ANSWER.match(text)
    assert found, text
    return int(found[1])


@dataclass
class Register:
    """Whose everything is: ids in hexadecimal, and numbers of answers."""

    ids: dict[str, UUID] = field(default_factory=dict)
    answers: dict[int, set[UUID]] = field(default_factory=dict)

    def strangers(self, tenant: UUID, text: str) -> tuple[int, list[str]]:
        """How many ids and answers the text names whose owner is known, and those that are somebody else's."""
        named = [one for one in (found.replace("-", "") for found in _ID.findall(text)) if one in self.ids]
        told = [int(number) for number in _ANSWER.findall(text)]
        strange = [one for one in named if self.ids[one] != tenant]
        strange += [f"answer {number}" for number in told if self.answers.get(number, {tenant}) != {tenant}]
        return len(named) + len(told), strange


@dataclass
class Checked:
    """What was looked at, by where it was found."""

    items: Counter[str] = field(default_factory=Counter)
    names: Counter[str] = field(default_factory=Counter)
    crossings: list[str] = field(default_factory=list)

    def look(self, register: Register, where: str, tenant: UUID, texts: Iterable[str]) -> None:
        for text in texts:
            named, strange = register.strangers(tenant, text)
            self.items[where] += 1
            self.names[where] += named
            self.crossings += [f"{where} of {tenant}: {one}" for one in strange]

    def table(self) -> str:
        rows = [f"{where:<28}{self.items[where]:>8}{self.names[where]:>10}" for where in sorted(self.items)]
        total = f"{'in all':<28}{self.items.total():>8}{self.names.total():>10}"
        return "\n".join([f"{'where':<28}{'items':>8}{'names':>10}", *rows, total, f"crossings: {len(self.crossings)}"])


class Ledgers:
    """The database as its owner sees it: rows of these tenants."""

    def __init__(self, connection: Owner, tenants: Sequence[Tenant]) -> None:
        self._connection = connection
        self._tenants = [tenant.id for tenant in tenants]

    def ask(self, query: str) -> list[dict[str, Any]]:
        """`%(tenants)s` stands for the tenants."""
        return self._connection.execute(query.encode(), {"tenants": self._tenants}).fetchall()

    def tables(self) -> Mapping[str, bool]:
        """Those with a tenant in each row, and whether rows have an id of their own."""
        rows = self.ask(
            "select c.relname, bool_or(a.attname = 'id') as ids"
            " from pg_class c join pg_attribute a on a.attrelid = c.oid"
            " where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and a.attnum > 0"
            " group by c.oid having bool_or(a.attname = 'tenant_id') and %(tenants)s::uuid[] is not null"
        )
        return {row["relname"]: row["ids"] for row in rows}

    def register(self) -> Register:
        register = Register(ids={tenant.hex: tenant for tenant in self._tenants})
        for table, ids in self.tables().items():
            if ids:
                for row in self._rows(table, "id::text as id"):
                    register.ids[row["id"].replace("-", "")] = row["tenant_id"]
        for row in self.ask(
            "select tenant_id, answer ->> 'text' as text from jobs where tenant_id = any (%(tenants)s)"
        ):
            if row["text"] is not None:
                register.answers.setdefault(answer_number(row["text"]), set()).add(row["tenant_id"])
        return register

    def look(self, register: Register, checked: Checked) -> None:
        """At the text of every row of every table."""
        for table in self.tables():
            for row in self._rows(table, "t::text as text"):
                checked.look(register, f"rows of {table}", row["tenant_id"], [row["text"]])

    def _rows(self, table: str, shown: LiteralString) -> list[dict[str, Any]]:
        query = sql.SQL("select tenant_id, {} from {} t where tenant_id = any (%s)").format(
            sql.SQL(shown), sql.Identifier("public", table)
        )
        return self._connection.execute(query, (self._tenants,)).fetchall()

    def count(self, query: str) -> dict[UUID, Counter[str]]:
        """Of a query for a tenant, a name and a number in each row."""
        counted: dict[UUID, Counter[str]] = {tenant: Counter() for tenant in self._tenants}
        for row in self.ask(query):
            counted[row["tenant_id"]][row["name"]] += int(row["number"])
        return counted


def look_at_callers(register: Register, checked: Checked, callers: Iterable[Caller]) -> None:
    for caller in callers:
        checked.look(register, "responses, with their heads", caller.tenant.id, (said.text for said in caller.said))
        checked.look(register, "answers", caller.tenant.id, caller.answers)
