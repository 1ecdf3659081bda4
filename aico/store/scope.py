"""For whom a transaction runs. Row-level security sees what is named here and nothing else."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

ACCOUNTS = "aico_auth"  # the role that the stand-in for Supabase Auth logs in as
REALTIME = "aico_realtime"  # likewise, for Supabase Realtime


@dataclass(frozen=True, slots=True)
class Scope:
    """A role, and the tenants or the user that it acts for. `durable` False lets the commit return before the disk."""

    role: str
    tenants: str = ""
    claims: str = ""
    durable: bool = True

    @classmethod
    def tenant(cls, *tenant_ids: UUID, durable: bool = True) -> "Scope":
        return cls("aico_service", tenants=",".join(map(str, tenant_ids)), durable=durable)

    @classmethod
    def each(cls, tenant_ids: Iterable[UUID], *, durable: bool = True) -> "Scope":
        return cls.tenant(*sorted(set(tenant_ids)), durable=durable)

    @classmethod
    def user(cls, user_id: UUID) -> "Scope":
        return cls("authenticated", claims=json.dumps({"sub": str(user_id), "role": "authenticated"}))

    @classmethod
    def system(cls, *, durable: bool = True) -> "Scope":
        """No tenant: only the functions in `private` that say what they reveal."""
        return cls("aico_service", durable=durable)

    @classmethod
    def accounts(cls) -> "Scope":
        """The local stand-in for Supabase Auth: users and their sessions, and nothing of any tenant."""
        return cls(ACCOUNTS)

    @property
    def params(self) -> dict[str, str]:
        commit = "on" if self.durable else "off"
        return {"role": self.role, "tenants": self.tenants, "claims": self.claims, "commit": commit}


ENTER = (
    "select set_config('role', %(role)s, true), set_config('aico.tenants', %(tenants)s, true),"
    " set_config('request.jwt.claims', %(claims)s, true), set_config('synchronous_commit', %(commit)s, true)"
)
