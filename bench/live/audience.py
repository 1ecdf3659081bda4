"""The tenants whose figures are looked at, who looks on, and the process in which they do."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import httpx2

from aico.cli.auth_admin import AuthAdmin
from aico.cli.tenancy import ensure_tenant
from aico.core.access import Role
from aico.core.ids import new_id
from aico.store import members
from aico.store.blocking import Database
from aico.store.scope import Scope
from bench.live.figures import Tick, read_tick
from bench.load import LoadFailed
from bench.servers import ROOT

_PASSWORD = "correct horse battery staple"  # noqa: S105 - of people who exist as long as the bench runs
_END_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Tenant:
    id: UUID
    token: str  # of a member of it

    @property
    def topic(self) -> str:
        return f"tenant:{self.id}:metrics"


def make_tenants(addresses: Mapping[str, str], database: Database, count: int) -> list[Tenant]:
    """Each with somebody who has signed in. `addresses` are those of `aico up`."""
    url, made = addresses["SUPABASE_URL"], []
    with AuthAdmin(url, addresses["SUPABASE_SERVICE_KEY"]) as admin:
        for _ in range(count):
            tenant = ensure_tenant(database, f"live-{new_id()}")
            email = f"{tenant}@example.com"
            person = UUID(admin.create(email, _PASSWORD)["id"])
            database.run(Scope.tenant(tenant), members.add(tenant, person, Role.VIEWER))
            made.append(Tenant(tenant, _sign_in(url, addresses["SUPABASE_ANON_KEY"], email)))
    return made


def _sign_in(url: str, key: str, email: str) -> str:
    reply = httpx2.post(
        f"{url}/auth/v1/token",
        params={"grant_type": "password"},
        json={"email": email, "password": _PASSWORD},
        headers={"apikey": key},
        timeout=30,
    )
    return str(reply.raise_for_status().json()["access_token"])


class Audience:
    """The running process."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.pid = process.pid
        self._process = process

    def leave(self, last: Mapping[str, int]) -> list[list[Tick]]:
        """What came to each viewer, once all have the last tick of their topic or have waited long enough."""
        printed, _ = self._process.communicate(json.dumps(last) + "\n", timeout=_END_SECONDS)
        if self._process.returncode:
            raise LoadFailed("the viewers broke off")
        seen = cast("list[list[tuple[float, dict[str, Any]]]]", json.loads(printed))
        return [[read_tick(arrived, payload) for arrived, payload in ticks] for ticks in seen]


@contextmanager
def looking_on(addresses: Mapping[str, str], watched: Sequence[Tenant]) -> Iterator[Audience]:
    """One viewer for each of these tenants, who may be the same. Yields when all have subscribed."""
    asked = {
        "url": addresses["SUPABASE_URL"].replace("http", "ws", 1),
        "key": addresses["SUPABASE_ANON_KEY"],
        "viewers": [{"topic": tenant.topic, "token": tenant.token} for tenant in watched],
    }
    command = [sys.executable, "-m", "bench.live.viewers"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            stdin, stdout = cast("Any", process.stdin), cast("Any", process.stdout)
            stdin.write(json.dumps(asked) + "\n")
            stdin.flush()
            if stdout.readline() != "ready\n":
                raise LoadFailed("the viewers could not subscribe")
            yield Audience(process)
        finally:
            process.kill()
