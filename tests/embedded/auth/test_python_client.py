"""The official Python client against the stand-in, unchanged."""

from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import anyio
import pytest
from embedded.auth.conftest import OTHER_PASSWORD, PASSWORD, Project, ServeAuth, new_email
from supabase_auth.errors import AuthApiError, AuthWeakPasswordError

from supabase import AsyncClient, acreate_client


@asynccontextmanager
async def client_of(project: Project, key: str | None = None) -> AsyncIterator[AsyncClient]:
    client = await acreate_client(project.url, key or project.publishable)
    try:
        yield client
    finally:
        await client.auth.close()


async def refusal(call: Coroutine[Any, Any, Any]) -> str | None:
    with pytest.raises(AuthApiError) as caught:
        await call
    return caught.value.code


def test_nobody_signs_up_where_that_is_off(project: Project) -> None:
    async def play() -> None:
        async with client_of(project) as client:
            signing_up = client.auth.sign_up({"email": new_email(), "password": PASSWORD})
            assert await refusal(signing_up) == "signup_disabled"

    anyio.run(play)


def test_somebody_signs_up_where_that_is_on(open_project: Project) -> None:
    async def play() -> None:
        email = new_email()
        async with client_of(open_project) as client:
            with pytest.raises(AuthWeakPasswordError) as weak:
                await client.auth.sign_up({"email": email, "password": "short"})
            assert weak.value.reasons == ["length"]
            made = await client.auth.sign_up(
                {"email": email, "password": PASSWORD, "options": {"data": {"name": "Ann"}}}
            )
            assert made.session is not None
            assert made.user is not None
            assert (made.user.email, made.user.user_metadata) == (email, {"name": "Ann"})
            assert made.user.identities is not None
            assert [identity.provider for identity in made.user.identities] == ["email"]
            again = client.auth.sign_up({"email": email, "password": PASSWORD})
            assert await refusal(again) == "user_already_exists"
            assert await refusal(client.auth.sign_in_anonymously()) == "anonymous_provider_disabled"

    anyio.run(play)


def test_a_session_from_sign_in_to_sign_out(project: Project) -> None:
    user = project.new_user()

    async def play() -> None:
        async with client_of(project) as client:
            wrong = client.auth.sign_in_with_password({"email": user["email"], "password": "wrong" * 3})
            assert await refusal(wrong) == "invalid_credentials"
            signed_in = await client.auth.sign_in_with_password({"email": user["email"], "password": PASSWORD})
            assert signed_in.session is not None
            shown = await client.auth.get_user()
            assert shown is not None
            assert shown.user.id == user["id"]
            claims = await client.auth.get_claims()
            assert claims is not None
            assert claims["headers"]["alg"] == "ES256"  # so it was verified here, by the published keys
            assert claims["claims"]["sub"] == user["id"]
            refreshed = await client.auth.refresh_session()
            assert refreshed.session is not None
            assert refreshed.session.refresh_token != signed_in.session.refresh_token
            again = await client.auth.refresh_session(signed_in.session.refresh_token)
            assert again.session is not None
            assert again.session.refresh_token == refreshed.session.refresh_token
            changed = await client.auth.update_user({"password": OTHER_PASSWORD, "data": {"colour": "red"}})
            assert changed.user.user_metadata == {"colour": "red"}
            await client.auth.sign_out()
            assert await client.auth.get_session() is None
            assert await refusal(client.auth.get_user(refreshed.session.access_token)) == "session_not_found"
            await client.auth.sign_in_with_password({"email": user["email"], "password": OTHER_PASSWORD})

    anyio.run(play)


def test_a_reused_token_signs_everybody_out(serve_auth: ServeAuth, project: Project) -> None:
    user = project.new_user()

    async def play(strict: Project) -> None:
        async with client_of(strict) as client:
            first = await client.auth.sign_in_with_password({"email": user["email"], "password": PASSWORD})
            assert first.session is not None
            await client.auth.refresh_session()
            stolen = client.auth.refresh_session(first.session.refresh_token)
            assert await refusal(stolen) == "refresh_token_already_used"
            assert await refusal(client.auth.refresh_session()) == "refresh_token_not_found"

    with serve_auth(reuse_grace_seconds=0) as strict:
        anyio.run(play, strict)


def test_an_administrator_manages_people(project: Project) -> None:
    async def play() -> None:
        email, someone = new_email(), str(uuid4())
        async with client_of(project, project.secret) as client:
            admin = client.auth.admin
            made = await admin.create_user(
                {
                    "id": someone,
                    "email": email,
                    "password": PASSWORD,
                    "email_confirm": True,
                    "app_metadata": {"plan": "pro"},
                }
            )
            assert (made.user.id, made.user.email) == (someone, email)
            assert made.user.app_metadata == {"provider": "email", "providers": ["email"], "plan": "pro"}
            assert (await admin.get_user_by_id(someone)).user.email == email
            assert await refusal(admin.create_user({"email": email, "password": PASSWORD})) == "email_exists"
            other = await admin.create_user({"email": new_email()})
            (last,) = await admin.list_users(page=len(await admin.list_users(per_page=1000)), per_page=1)
            assert last.id == other.user.id
            changed = await admin.update_user_by_id(someone, {"user_metadata": {"a": 1}, "ban_duration": "24h"})
            assert changed.user.user_metadata == {"a": 1}
            assert changed.user.banned_until is not None
            await admin.delete_user(someone)
            assert await refusal(admin.get_user_by_id(someone)) == "user_not_found"
            assert await refusal(admin.delete_user(someone)) == "user_not_found"

    anyio.run(play)


def test_the_public_key_manages_nobody(project: Project) -> None:
    async def play() -> None:
        async with client_of(project) as client:
            assert await refusal(client.auth.admin.list_users()) == "not_admin"
            assert await refusal(client.auth.admin.create_user({"email": new_email()})) == "not_admin"

    anyio.run(play)
