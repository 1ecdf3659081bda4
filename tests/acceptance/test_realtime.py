"""At a running stack: a person who is signed in hears, by the official client, of an answer that somebody gets."""

import asyncio
from typing import Any
from uuid import uuid4

import anyio
from dotenv import dotenv_values
from realtime import RealtimePostgresChangesListenEvent

from acceptance.conftest import Running
from acceptance.test_product import aico, ask
from supabase import acreate_client

PASSWORD = "correct horse battery"


def test_an_answer_is_told_to_a_member_while_it_is_booked(product: Running) -> None:
    known = dotenv_values(product.state_dir / "stack.env")
    email = f"{uuid4().hex}@example.com"
    wanted = ("users", "create", email, "--tenant", "development", "--role", "viewer", "--password-stdin")
    assert aico(product, *wanted, given=PASSWORD).returncode == 0

    async def play() -> None:
        client = await acreate_client(str(known["SUPABASE_URL"]), str(known["SUPABASE_ANON_KEY"]))
        signed_in = await client.auth.sign_in_with_password({"email": email, "password": PASSWORD})
        assert signed_in.session is not None
        await client.realtime.set_auth(signed_in.session.access_token)
        followed, heard = asyncio.Event(), asyncio.Event()
        rows: list[Any] = []

        def changed(told: Any) -> None:
            rows.append(told["data"]["record"])
            heard.set()

        channel = client.channel("answers")
        channel.on_system(lambda _: followed.set())
        channel.on_postgres_changes(
            RealtimePostgresChangesListenEvent.Insert, schema="public", table="answer_samples", callback=changed
        )
        async with asyncio.timeout(60):
            await channel.subscribe()
            await followed.wait()
            job = await asyncio.to_thread(ask, product, {"prompt": f"What is {uuid4()}?"})
            await heard.wait()
        await client.realtime.close()
        await client.auth.close()
        assert (rows[0]["job_id"], rows[0]["provider"]) == (job["id"], "simulated")
        key = str(known["SUPABASE_ANON_KEY"])  # it came in the address, which servers like to log
        assert key not in (product.state_dir / "logs" / "auth.log").read_text()

    anyio.run(play)


def test_its_password_is_known_to_its_own_process_alone(product: Running) -> None:
    password = (product.state_dir / "auth" / "realtime.password").read_text()
    assert password
    for part in ("api", "route", "record", "sweep", "auth"):
        assert not any(password in value for value in product.part(part).environ().values())
