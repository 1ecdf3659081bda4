"""Accounts as Supabase's clients read them."""

from datetime import datetime
from typing import Any

from aico.store.accounts import Account

Json = dict[str, Any]


def user_json(account: Account) -> Json:
    shown = {
        "id": str(account.id),
        "aud": account.aud,
        "role": account.role,
        "email": account.email or "",
        "phone": "",
        "email_confirmed_at": _time(account.email_confirmed_at),
        "confirmed_at": _time(account.email_confirmed_at),
        "last_sign_in_at": _time(account.last_sign_in_at),
        "banned_until": _time(account.banned_until),
        "app_metadata": account.app_metadata,
        "user_metadata": account.user_metadata,
        "identities": [_identity(account)] if account.email else [],
        "is_anonymous": account.is_anonymous,
        "created_at": _time(account.created_at),
        "updated_at": _time(account.updated_at),
    }
    return {name: value for name, value in shown.items() if value is not None}


def _identity(account: Account) -> Json:
    user = str(account.id)
    verified = account.email_confirmed_at is not None
    return {
        "identity_id": user,
        "id": user,
        "user_id": user,
        "identity_data": {"email": account.email, "email_verified": verified, "phone_verified": False, "sub": user},
        "provider": "email",
        "email": account.email,
        "last_sign_in_at": _time(account.last_sign_in_at),
        "created_at": _time(account.created_at),
        "updated_at": _time(account.updated_at),
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
