"""Connections, the channels that they have joined, and who has joined what."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from uuid import UUID

from starlette.websockets import WebSocket, WebSocketDisconnect

from aico.embedded.realtime.credentials import Holder
from aico.embedded.realtime.frames import Version, compact, encode
from aico.embedded.realtime.joining import Binding, Join
from aico.embedded.realtime.limits import Bucket, Limits


class Connection:
    """A client's end of the line. What it has not read yet waits here, and not without a bound."""

    def __init__(self, version: Version, limits: Limits) -> None:
        self.version = version
        self.channels: dict[str, Channel] = {}  # by topic
        self.messages = Bucket(limits.messages_per_second)
        self.overrun = asyncio.Event()  # it reads too slowly, and has to go
        self._limits = limits
        self._waiting: deque[str] = deque()
        self._bytes = 0
        self._something = asyncio.Event()

    def put(self, text: str) -> None:
        self._waiting.append(text)
        self._bytes += len(text)
        if len(self._waiting) > self._limits.queued_frames or self._bytes > self._limits.queued_bytes:
            self.overrun.set()
            self._waiting.clear()
            self._bytes = 0
        self._something.set()

    async def write(self, websocket: WebSocket) -> None:
        """Until the client has gone."""
        try:
            while True:
                while self._waiting:
                    text = self._waiting.popleft()
                    self._bytes -= len(text)
                    await websocket.send_text(text)
                self._something.clear()
                await self._something.wait()
        except (WebSocketDisconnect, RuntimeError):  # it has gone, or the server has closed it for what it sent
            return


@dataclass(slots=True, eq=False)
class Channel:
    """One topic that a connection has joined."""

    connection: Connection
    topic: str
    join_ref: str | None
    join: Join
    holder: Holder
    bindings: tuple[Binding, ...] = ()
    may_speak: bool | None = None  # on a private topic; None: not asked yet
    checked_at: float = field(default_factory=time.monotonic)

    @property
    def name(self) -> str:
        return self.join.name

    @property
    def joined(self) -> bool:
        return self.connection.channels.get(self.topic) is self

    def push(self, event: str, payload: str) -> None:
        self.connection.put(encode(self.connection.version, (self.join_ref, None), self.topic, event, payload))

    def system(self, extension: str, status: str, message: str) -> None:
        told = {"extension": extension, "status": status, "message": message, "channel": self.name}
        self.push("system", compact(told))


class Channels:
    """Everybody's. A private topic and a public one of the same name have nothing to do with each other."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.joins = Bucket(limits.joins_per_second)
        self.connections = 0
        self._by_topic: dict[tuple[str, bool], dict[Channel, None]] = {}
        self._persons: Counter[UUID] = Counter()  # channels of each
        self._bindings: Counter[UUID] = Counter()

    def __iter__(self) -> Iterator[Channel]:
        return iter([channel for joined in self._by_topic.values() for channel in joined])

    def at(self, name: str, *, private: bool) -> Collection[Channel]:
        return self._by_topic.get((name, private), {})

    def of_person(self, person: UUID) -> tuple[int, int]:
        """Channels, and the changes that they ask for."""
        return self._persons[person], self._bindings[person]

    def add(self, channel: Channel) -> None:
        channel.connection.channels[channel.topic] = channel
        self._by_topic.setdefault((channel.name, channel.join.private), {})[channel] = None
        self._count(channel)

    def remove(self, channel: Channel) -> None:
        if not channel.joined:
            return
        del channel.connection.channels[channel.topic]
        joined = self._by_topic[channel.name, channel.join.private]
        del joined[channel]
        if not joined:
            del self._by_topic[channel.name, channel.join.private]
        self._forget(channel)

    def renew(self, channel: Channel, holder: Holder) -> None:
        """The same channel goes on as somebody else, or with a newer token."""
        self._forget(channel)
        channel.holder, channel.may_speak, channel.checked_at = holder, None, time.monotonic()
        self._count(channel)

    def close(self, channel: Channel, message: str) -> None:
        """For good: clients do not come back by themselves."""
        channel.system("system", "error", message)
        channel.push("phx_close", "{}")
        self.remove(channel)

    def interrupt(self, channels: Collection[Channel], message: str) -> None:
        """Changes may be missing: clients join again by themselves, and whoever shows what was sent fetches it anew."""
        for channel in channels:
            channel.push("phx_error", compact({"reason": message}))
            self.remove(channel)

    def _count(self, channel: Channel) -> None:
        person = channel.holder.person
        if person is not None:
            self._persons[person] += 1
            self._bindings[person] += len(channel.bindings)

    def _forget(self, channel: Channel) -> None:
        person = channel.holder.person
        if person is not None:
            self._persons[person] -= 1
            self._bindings[person] -= len(channel.bindings)
            if not self._persons[person]:
                del self._persons[person], self._bindings[person]
