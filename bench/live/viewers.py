"""People who look on, with the official client, in a process of their own.

python -m bench.live.viewers

Reads two lines of JSON: `{"url": ..., "key": ..., "viewers": [{"topic": ..., "token": ...}, ...]}`, whereupon it
subscribes all of them and says `ready`; then the last sequence number of each topic, `{topic: seq}`, for which it waits
a while. Prints what came to each viewer, a line of JSON: `[[[arrived, payload], ...], ...]`.
"""

import asyncio
import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from realtime import AsyncRealtimeClient, RealtimeSubscribeStates
from realtime.types import RealtimeChannelOptions

_LAST_SECONDS = 15  # within which the last tick must come


_PRIVATE: RealtimeChannelOptions = {
    "config": {
        "private": True,
        "broadcast": {"ack": False, "self": False},
        "presence": {"key": "", "enabled": False},
    }
}


class Viewer:
    def __init__(self, topic: str, token: str) -> None:
        self.topic = topic
        self._token = token
        self.seen: list[tuple[float, Mapping[str, Any]]] = []
        self._state: RealtimeSubscribeStates | None = None
        self._changed = asyncio.Event()

    async def subscribe(self, url: str, key: str) -> AsyncRealtimeClient:
        """Raises SystemExit where the server does not let it."""
        client = AsyncRealtimeClient(f"{url}/realtime/v1", key)
        await client.set_auth(self._token)
        channel = client.channel(self.topic, _PRIVATE)
        await channel.on_broadcast("tick", self._ticked).subscribe(self._said)
        if self._state is not RealtimeSubscribeStates.SUBSCRIBED:
            raise SystemExit(f"{self.topic}: {self._state}")
        return client

    def _ticked(self, message: Any) -> None:
        self.seen.append((time.time(), message["payload"]))
        self._changed.set()

    def _said(self, state: RealtimeSubscribeStates, _: Exception | None) -> None:
        self._state = state

    async def wait_for(self, seq: int) -> None:
        while seq > max((payload["seq"] for _, payload in self.seen), default=0):
            self._changed.clear()
            await self._changed.wait()


async def _look_on(asked: Mapping[str, Any]) -> Sequence[Viewer]:
    viewers = [Viewer(one["topic"], one["token"]) for one in asked["viewers"]]
    clients = [await viewer.subscribe(asked["url"], asked["key"]) for viewer in viewers]
    print("ready", flush=True)
    last: Mapping[str, int] = json.loads(await asyncio.to_thread(sys.stdin.readline))
    await asyncio.wait(
        [asyncio.create_task(viewer.wait_for(last[viewer.topic])) for viewer in viewers], timeout=_LAST_SECONDS
    )
    for client in clients:
        await client.close()
    return viewers


def main() -> None:
    viewers = asyncio.run(_look_on(json.loads(sys.stdin.readline())))
    print(json.dumps([viewer.seen for viewer in viewers]))


if __name__ == "__main__":
    main()
