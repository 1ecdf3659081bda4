"""The official clients, unchanged, behind one face: what is asked of them, and what they tell of all that happens."""

import asyncio
import json
import os
import shutil
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from conftest import unavailable
from embedded.realtime.conftest import MODULES, Live, Person

from supabase import AsyncClient, acreate_client

_SCRIPT = Path(__file__).with_name("client.mjs")
_PATIENCE_SECONDS = 20

Told = dict[str, Any]


class Said(NamedTuple):
    """What a channel wants of what is said on it."""

    ack: bool = False
    itself: bool = False

    def options(self) -> dict[str, bool]:
        return {"ack": self.ack, "self": self.itself}


QUIET = Said()


class Listener(Protocol):
    told: list[Told]

    async def token(self, token: str) -> None: ...
    async def sign_in(self, email: str, password: str) -> None: ...
    async def sign_out(self) -> None: ...
    async def subscribe(
        self, name: str, changes: Sequence[dict[str, Any]] = (), *, private: bool = False, said: Said = QUIET
    ) -> None: ...
    async def say(self, name: str, event: str, payload: dict[str, Any]) -> None: ...
    async def unsubscribe(self, name: str) -> None: ...


async def until(condition: Callable[[], Any]) -> Any:
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while not (found := condition()):  # noqa: ASYNC110 # what is waited for happens in clients that know no event
            await asyncio.sleep(0.01)
    return found


def of(listener: Listener, kind: str, name: str | None = None) -> list[Told]:
    return [told for told in listener.told if told["kind"] == kind and name in {None, told.get("name")}]


def states(listener: Listener, name: str) -> list[str]:
    return [told["state"] for told in of(listener, "state", name)]


async def subscribed(
    listener: Listener, name: str, changes: Sequence[dict[str, Any]] = (), *, private: bool = False, said: Said = QUIET
) -> None:
    """Returns once the server follows what was asked for."""
    await listener.subscribe(name, changes, private=private, said=said)
    await until(lambda: states(listener, name))
    assert states(listener, name) == ["SUBSCRIBED"], of(listener, "state", name)
    if changes:
        await until(lambda: of(listener, "system", name))
        assert [told["payload"]["message"] for told in of(listener, "system", name)] == ["Subscribed to PostgreSQL"]


class PythonListener:
    def __init__(self, client: AsyncClient) -> None:
        self.client = client
        self.told: list[Told] = []
        self._channels: dict[str, Any] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    async def token(self, token: str) -> None:
        await self.client.realtime.set_auth(token)

    async def sign_in(self, email: str, password: str) -> None:
        session = (await self.client.auth.sign_in_with_password({"email": email, "password": password})).session
        assert session is not None
        await self.token(session.access_token)

    async def sign_out(self) -> None:
        await self.client.auth.sign_out({"scope": "local"})
        await self.client.realtime.set_auth(self.client.supabase_key)

    async def subscribe(
        self, name: str, changes: Sequence[dict[str, Any]] = (), *, private: bool = False, said: Said = QUIET
    ) -> None:
        options: Any = {
            "config": {
                "broadcast": said.options(),
                "presence": {"key": "", "enabled": False},
                "private": private,
            }
        }
        channel: Any = self.client.channel(name, options)
        self._channels[name] = channel
        channel.on_broadcast("*", lambda told: self.told.append({"kind": "broadcast", "name": name, **told}))
        channel.on_system(lambda told: self.told.append({"kind": "system", "name": name, "payload": dict(told)}))
        for number, wanted in enumerate(changes):
            channel.on_postgres_changes(callback=partial(self._changed, name, number), **wanted)
        task = asyncio.create_task(
            channel.subscribe(
                lambda state, error: self.told.append(
                    {"kind": "state", "name": name, "state": state.value, "error": error and str(error)}
                )
            )
        )
        self._tasks.add(task)

    async def say(self, name: str, event: str, payload: dict[str, Any]) -> None:
        await self._channels[name].send_broadcast(event, payload)

    async def unsubscribe(self, name: str) -> None:
        await self._channels[name].unsubscribe()

    def _changed(self, name: str, number: int, told: Any) -> None:
        data = told["data"]
        self.told.append(
            {
                "kind": "change",
                "name": name,
                "number": number,
                "event": data["type"].value,
                **{what: data[what] for what in ("schema", "table", "errors")},
                "record": data.get("record"),
                "old": data.get("old_record", {}),
            }
        )


class ScriptListener:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.told: list[Told] = []
        self._process = process

    async def follow(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.told.append(json.loads(line))

    async def token(self, token: str) -> None:
        await self._order("token", token=token)

    async def sign_in(self, email: str, password: str) -> None:
        await self._order("signIn", email=email, password=password)

    async def sign_out(self) -> None:
        await self._order("signOut")

    async def subscribe(
        self, name: str, changes: Sequence[dict[str, Any]] = (), *, private: bool = False, said: Said = QUIET
    ) -> None:
        await self._order("subscribe", name=name, changes=list(changes), private=private, broadcast=said.options())

    async def say(self, name: str, event: str, payload: dict[str, Any]) -> None:
        await self._order("say", name=name, event=event, payload=payload)

    async def unsubscribe(self, name: str) -> None:
        await self._order("unsubscribe", name=name)

    async def track(self, name: str) -> None:
        await self._order("track", name=name)

    async def _order(self, order: str, **wanted: Any) -> None:
        before = len(of(self, "done"))
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"order": order, **wanted}).encode() + b"\n")
        await until(lambda: len(of(self, "done")) > before or of(self, "failed"))
        assert not of(self, "failed"), of(self, "failed")


@asynccontextmanager
async def python_client(live: Live, person: Person | None = None, version: str = "") -> AsyncIterator[PythonListener]:
    client = await acreate_client(live.url, live.project.publishable)
    client.realtime.initial_backoff = 0.1
    listener = PythonListener(client)
    try:
        if person is not None:
            await listener.token(person.token)
        yield listener
    finally:
        await client.realtime.close()
        await client.auth.close()


@asynccontextmanager
async def javascript_client(
    live: Live, person: Person | None = None, version: str = "2.0.0"
) -> AsyncIterator[ScriptListener]:
    node = shutil.which("node")
    if node is None or not (MODULES / "node_modules" / "@supabase" / "supabase-js").is_dir():
        unavailable("@supabase/supabase-js is not installed: it takes node, npm and `make test`")
    environment = {
        "PATH": os.environ["PATH"],
        "MODULES": f"{MODULES}/",
        "URL": live.url,
        "KEY": live.project.publishable,
        "VSN": version,
    }
    process = await asyncio.create_subprocess_exec(str(node), str(_SCRIPT), stdin=PIPE, stdout=PIPE, env=environment)
    listener = ScriptListener(process)
    following = asyncio.create_task(listener.follow())
    try:
        await until(lambda: of(listener, "started"))
        if person is not None:
            await listener.token(person.token)
        yield listener
    finally:
        process.kill()
        await process.wait()
        following.cancel()
