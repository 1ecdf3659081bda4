"""Who watches over channels goes on whatever the database does."""

import asyncio
import time
from types import SimpleNamespace
from typing import cast
from uuid import uuid4

import anyio
from conftest import new_tenant
from embedded.realtime.conftest import Serve
from embedded.realtime.listening import until
from embedded.realtime.speaking import speaking

from aico.embedded.realtime.channels import Channel, Channels, Connection
from aico.embedded.realtime.credentials import Holder
from aico.embedded.realtime.dispatch import Dispatcher
from aico.embedded.realtime.frames import Version
from aico.embedded.realtime.guard import watch
from aico.embedded.realtime.joining import parse_join
from aico.embedded.realtime.limits import Limits
from aico.embedded.realtime.session import Services
from aico.store.blocking import Database


def test_a_database_that_is_too_slow_to_be_asked_lets_nobody_hear_more_than_before(
    serve_live: Serve, database: Database
) -> None:
    with serve_live(limits=Limits(recheck_seconds=0)) as live:
        eve, tom = (live.join(new_tenant(database).id) for _ in range(2))

        async def play() -> None:
            async with speaking(live) as hers, speaking(live) as his:
                assert (await hers.join(eve.topic, eve, private=True))["status"] == "ok"
                with live.database.transaction():
                    live.database.execute("lock table realtime.messages")
                    answer = await his.join(tom.topic, tom, private=True)
                    assert answer["response"]["reason"].startswith("UnableToConnectToProject")
                assert (await his.join(tom.topic, tom, private=True))["status"] == "ok"
                live.database.execute("delete from auth.sessions where user_id = %s", (eve.id,))
                assert (await hers.hear("system"))["payload"]["status"] == "error"
                await hers.hear("phx_close")

        anyio.run(play)


def test_a_token_ends_in_time_while_the_database_is_still_asked_about_others() -> None:
    limits = Limits(recheck_seconds=0)
    channels, connection = Channels(limits), Connection(Version.TWO, limits)

    def joined(name: str, expiry: float | None) -> Channel:
        holder = Holder("authenticated", "{}", uuid4(), uuid4(), expiry)
        channel = Channel(connection, f"realtime:{name}", "1", parse_join(f"realtime:{name}", {}), holder)
        channels.add(channel)
        return channel

    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    async def play() -> None:
        lasting, ending = joined("lasting", None), joined("ending", time.time() + 1.5)
        watching = asyncio.create_task(
            watch(cast("Services", SimpleNamespace(channels=channels, refusal=never)), cast("Dispatcher", None))
        )
        await until(lambda: not ending.joined)
        assert lasting.joined
        watching.cancel()

    anyio.run(play)
