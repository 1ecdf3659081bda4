"""A client of our own that speaks the protocol word by word, and so can also say what no client says."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

from embedded.realtime.conftest import Live, Person
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

_PATIENCE_SECONDS = 10

Said = dict[str, Any]


class Line:
    """Version 1.0.0."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self._ref = 0

    async def say(self, topic: str, event: str, payload: Any = None) -> str:
        self._ref += 1
        ref = str(self._ref)
        said = {"topic": topic, "event": event, "payload": payload or {}, "ref": ref, "join_ref": "1"}
        await self.socket.send(json.dumps(said))
        return ref

    async def ask(self, topic: str, event: str, payload: Any = None) -> Said:
        """The reply; whatever is said before it is left out."""
        ref = await self.say(topic, event, payload)
        return (await self.hear("phx_reply", ref))["payload"]  # type: ignore[no-any-return]

    async def join(self, name: str, person: Person | None = None, *, token: str | None = None, **config: Any) -> Said:
        payload = {"config": config, "access_token": person.token if person else token}
        return await self.ask(f"realtime:{name}", "phx_join", payload)

    async def hear(self, event: str, ref: str | None = None) -> Said:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                said: Said = json.loads(await self.socket.recv())
                if said["event"] == event and said["ref"] == ref:
                    return said

    async def closed(self) -> tuple[int, str]:
        """The code and the reason with which the server closes."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            try:
                while True:
                    await self.socket.recv()
            except ConnectionClosed as error:
                return (error.rcvd.code, error.rcvd.reason) if error.rcvd else (1006, "")


def address(live: Live, **query: str) -> str:
    return f"{live.socket}?{urlencode({'apikey': live.project.publishable, **query})}"


@asynccontextmanager
async def speaking(live: Live, headers: dict[str, str] | None = None, **query: str) -> AsyncIterator[Line]:
    async with connect(address(live, **query), additional_headers=headers, max_size=None) as socket:
        yield Line(socket)
