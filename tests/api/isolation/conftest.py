"""Two tenants of one service, who ask the same things and have something of every kind.

A real embed worker finds answers by meaning; a route worker is played, and says in each answer whose it is.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx2
import psycopg
import pytest
from api.conftest import serving, wait_until
from api.embedding import embed_worker
from api.fuzzing import answering, failed, populated
from api.identity import new_member
from builders import ending_of
from conftest import Tenant, new_tenant
from psycopg import sql

from aico.core.access import Permission
from aico.core.settings import Settings
from aico.store.blocking import Database
from aico.store.claims import Claim, Ending

OWN_REDIS_DATABASE = "6"
TO_FAIL = "fail"


def answer_for(tenant: UUID) -> str:
    return f"This is for {tenant.hex} alone."


def ending(claim: Claim) -> Ending:
    asked = claim.request.messages[-1].content
    return failed(claim) if asked == TO_FAIL else ending_of(claim, text=answer_for(claim.tenant))


@dataclass(frozen=True)
class Side:
    tenant: Tenant
    api: httpx2.Client
    known: Mapping[str, Sequence[str]]  # ids, by the name of the path's parameter

    @property
    def ids(self) -> list[str]:
        return [one for name, ids in self.known.items() if name != "provider" for one in ids]

    @property
    def marks(self) -> list[str]:
        """What nobody else may ever be told."""
        return [*self.ids, str(self.tenant.id), self.tenant.id.hex, answer_for(self.tenant.id), self.tenant.key]


@dataclass(frozen=True)
class Sides:
    address: str
    owner: Side
    intruder: Side
    admin: "psycopg.Connection[Any]"

    def state(self) -> dict[str, str]:
        """A digest of the owner's rows in each table."""
        tables = self.admin.execute(
            "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
        ).fetchall()
        return {table: self._digest(table) for (table,) in tables}

    def _digest(self, table: str) -> str:
        key = "id" if table == "tenants" else "tenant_id"
        # When a key was used last is written down half a minute later, whatever happens meanwhile.
        query = sql.SQL("select (to_jsonb(t) - 'last_used_at')::text from {} t where {} = %s").format(
            sql.Identifier("public", table), sql.Identifier(key)
        )
        rows = sorted(row for (row,) in self.admin.execute(query, (self.owner.tenant.id,)))
        return hashlib.sha256("\n".join(rows).encode()).hexdigest()


@pytest.fixture(scope="package")
def sides(
    base_settings: Settings,
    redis_url: str,
    database: Database,
    admin: "psycopg.Connection[Any]",
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Sides]:
    url = type(base_settings.redis_url)(f"{redis_url.rpartition('/')[0]}/{OWN_REDIS_DATABASE}")
    own = base_settings.model_copy(update={"redis_url": url, "api_key_cache_seconds": 60, "pii_redaction": "available"})
    owner, intruder = new_tenant(database, tuple(Permission)), new_tenant(database, tuple(Permission))
    with (
        embed_worker(own, tmp_path_factory.mktemp("embed")),
        answering(own, database, ending),
        serving(own) as address,
        _client(address, owner) as theirs,
        _client(address, intruder) as ours,
    ):
        yield Sides(
            address,
            _side(address, owner, theirs, admin),
            _side(address, intruder, ours, admin),
            admin,
        )
    admin.execute("delete from public.jobs where tenant_id = any (%s)", ([owner.id, intruder.id],))


def _client(address: str, tenant: Tenant) -> httpx2.Client:
    return httpx2.Client(base_url=address, headers={"Authorization": f"Bearer {tenant.key}"}, timeout=20)


def _side(address: str, tenant: Tenant, api: httpx2.Client, admin: "psycopg.Connection[Any]") -> Side:
    known = {name: list(ids) for name, ids in populated(address, tenant, new_member(admin, tenant.id)).known.items()}
    dead = api.post("/v1/jobs", json={"prompt": TO_FAIL, "cache": "off"}).raise_for_status().json()["id"]
    known["job_id"].append(dead)
    wait_until(lambda: api.get(f"/v1/jobs/{dead}").json()["status"] == "failed")
    wait_until(lambda: not api.get("/v1/jobs", params={"status": "queued"}).json()["data"])
    written = admin.execute(
        "insert into public.files (id, tenant_id, filename, purpose, complete, expires_at) values"
        " (gen_random_uuid(), %s, 'results.jsonl', 'batch_output', true, now() + interval '1 day') returning id",
        (tenant.id,),
    ).fetchone()
    assert written is not None
    known["file_id"].append(f"file-{written[0].hex}")
    return Side(tenant, api, known)


@pytest.fixture
def untouched(sides: Sides) -> Iterator[None]:
    """Whatever is tried meanwhile, the owner's rows stay as they are."""
    before = sides.state()
    yield
    assert sides.state() == before


def absent(known: str) -> str:
    """An id like this one, of nothing: it differs in the last digit, so that it sorts to the same place."""
    return known[:-1] + ("0" if known[-1] != "0" else "1")


def without(text: str, ids: Sequence[str]) -> str:
    """A text in which none of these ids can be told from another."""
    for one in ids:
        text = text.replace(one, "<id>")
    return text
