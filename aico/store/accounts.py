"""Statements of the local stand-in for Supabase Auth: people, their sign-ins and refresh tokens. Hashes, no secrets."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from aico.store.statement import Row, Statement, named_sql, no_row

_SQL = named_sql("accounts")

Metadata = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Account:
    id: UUID
    aud: str
    role: str
    email: str | None
    password_hash: str | None = field(repr=False)  # None: nobody can sign in with a password
    email_confirmed_at: datetime | None
    last_sign_in_at: datetime | None
    banned_until: datetime | None
    app_metadata: Metadata  # written by the operator alone
    user_metadata: Metadata  # written by the person too: nothing may be allowed by it
    is_anonymous: bool
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in, with the account that it belongs to."""

    id: UUID
    account: Account
    signed_in_at: datetime


class Verdict(StrEnum):
    """What became of a refresh token."""

    GOOD = "good"  # it was exchanged for its successor, be it again
    BANNED = "banned"
    REUSED = "reused"  # somebody else had it: the session is gone


@dataclass(frozen=True, slots=True)
class Refreshed:
    verdict: Verdict
    session: Session


class SignOut(StrEnum):
    """Which sessions end."""

    GLOBAL = "global"
    LOCAL = "local"
    OTHERS = "others"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is None stays as it is. A new password ends every session but `session`."""

    email: str | None = None
    password_hash: str | None = field(default=None, repr=False)
    confirmed: bool = False
    app_metadata: Metadata | None = None
    user_metadata: Metadata | None = None
    sets_ban: bool = False
    banned_until: datetime | None = None
    session: UUID | None = None


def by_id(account: UUID) -> Statement[Account]:
    return Statement(_SQL["by_id"], {"id": account}, _account)


def by_email(email: str) -> Statement[Account]:
    """Whatever its case."""
    return Statement(_SQL["by_email"], {"email": email}, _account)


def page(limit: int, offset: int) -> Statement[Account]:
    """Oldest first."""
    return Statement(_SQL["page"], {"limit": limit, "offset": offset}, _account)


def count() -> Statement[int]:
    return Statement(_SQL["count"], {}, lambda row: int(row["total"]))


def create(account: UUID, first: Change) -> Statement[Account]:
    """No row where somebody has this email or id already."""
    return Statement(_SQL["create"], _values(account, first), _account)


def change(account: UUID, wanted: Change) -> Statement[Account]:
    """No row where there is no such account. Raises UniqueViolation where somebody else has the email."""
    return Statement(_SQL["change"], _values(account, wanted), _account)


def delete(account: UUID) -> Statement[UUID]:
    return Statement(_SQL["delete"], {"id": account}, lambda row: row["id"])


def open_session(account: UUID, token_hash: bytes) -> Statement[Session]:
    """`token_hash` is the SHA-256 of its first refresh token."""
    return Statement(_SQL["open_session"], {"user": account, "token_hash": token_hash}, _session)


def session(account: UUID, session_id: UUID) -> Statement[Session]:
    return Statement(_SQL["session"], {"user": account, "session": session_id}, _session)


def refresh(token_hash: bytes, successor_hash: bytes, grace_seconds: float) -> Statement[Refreshed]:
    """No row for an unknown token. A token that was used more than `grace_seconds` ago ends its session."""
    params = {"token_hash": token_hash, "successor_hash": successor_hash, "grace_seconds": grace_seconds}
    return Statement(_SQL["refresh"], params, lambda row: Refreshed(Verdict(row["verdict"]), _session(row)))


def end_sessions(account: UUID, session_id: UUID, scope: SignOut) -> Statement[None]:
    return Statement(_SQL["end_sessions"], {"user": account, "session": session_id, "scope": scope.value}, no_row)


def _values(account: UUID, wanted: Change) -> dict[str, Any]:
    return {
        "id": account,
        "email": wanted.email,
        "password_hash": wanted.password_hash,
        "confirmed": wanted.confirmed,
        "app_metadata": None if wanted.app_metadata is None else Jsonb(wanted.app_metadata),
        "user_metadata": None if wanted.user_metadata is None else Jsonb(wanted.user_metadata),
        "sets_ban": wanted.sets_ban,
        "banned_until": wanted.banned_until,
        "session": wanted.session,
    }


def _account(row: Row) -> Account:
    return Account(
        id=row["id"],
        aud=row["aud"],
        role=row["role"],
        email=row["email"],
        password_hash=row["encrypted_password"],
        email_confirmed_at=row["email_confirmed_at"],
        last_sign_in_at=row["last_sign_in_at"],
        banned_until=row["banned_until"],
        app_metadata=row["raw_app_meta_data"],
        user_metadata=row["raw_user_meta_data"],
        is_anonymous=row["is_anonymous"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _session(row: Row) -> Session:
    return Session(row["session_id"], _account(row), row["signed_in_at"])
