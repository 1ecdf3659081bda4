"""One connection's side of the protocol: what is done about each message."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aico.core.errors import InvalidInput, Unavailable
from aico.embedded.auth.signing import SigningKeys
from aico.embedded.realtime.channels import Channel, Channels, Connection
from aico.embedded.realtime.credentials import Holder, Unauthorized, holder_of
from aico.embedded.realtime.database import Database
from aico.embedded.realtime.dispatch import send_to
from aico.embedded.realtime.frames import Message, compact, encode
from aico.embedded.realtime.joining import Binding, Join, echoed, parse_bindings, parse_join
from aico.embedded.realtime.source import ChangeSource

_SOURCE_PATIENCE = 3.0  # seconds that a join waits for the database
_AWAY = "UnableToConnectToProject: Realtime was unable to connect to the project database"
_UNREADABLE = "Unauthorized: You do not have permissions to read from this Channel topic: {}"
_UNWRITABLE = "Unauthorized: You do not have permissions to write to this Channel topic: {}"
_SIGNED_OUT = "Unauthorized: This sign-in has ended"
_NO_PRESENCE = "Presence is not available on this server"


@dataclass(frozen=True, slots=True)
class Services:
    keys: SigningKeys
    database: Database
    channels: Channels
    source: ChangeSource

    async def refusal(self, holder: Holder, join: Join) -> str | None:
        """Why this holder may not be on this channel. Raises Unavailable."""
        if join.private:
            return None if await self.database.may_hear(holder, join.name) else _UNREADABLE.format(join.name)
        return None if await self.database.signed_in(holder) else _SIGNED_OUT


class Session:
    def __init__(self, services: Services, connection: Connection) -> None:
        self._services = services
        self._connection = connection
        self._answers: dict[str, Callable[[Channel, Message], Awaitable[None]]] = {
            "phx_leave": self._leave,
            "access_token": self._access_token,
            "broadcast": self._broadcast,
            "presence": self._presence,
        }

    async def answer(self, message: Message) -> None:
        if message.event == "heartbeat":
            self._reply(message)
        elif message.event == "phx_join":
            await self._join(message)
        else:
            channel = self._connection.channels.get(message.topic)
            answer = self._answers.get(message.event)
            if channel is None or answer is None:
                self._reply(message, "unmatched topic" if channel is None else "unknown event")
            else:
                await answer(channel, message)

    async def _join(self, message: Message) -> None:
        try:
            join = parse_join(message.topic, message.payload)
            self._take_room(message.topic, join)
            holder = holder_of(join.token, self._services.keys)
            bindings, fault = await self._admit(holder, join)
        except (InvalidInput, Unauthorized) as error:
            self._reply(message, str(error))
            return
        except (TimeoutError, Unavailable):
            self._reply(message, _AWAY)
            return
        if (old := self._connection.channels.get(message.topic)) is not None:
            old.push("phx_close", "{}")
            self._services.channels.remove(old)
        channel = Channel(self._connection, message.topic, message.join_ref or message.ref, join, holder, bindings)
        self._services.channels.add(channel)
        self._reply(message, response={"postgres_changes": echoed(join.changes)})
        self._welcome(channel, fault)

    def _take_room(self, topic: str, join: Join) -> None:
        """Raises InvalidInput where a limit is reached."""
        channels, limits = self._services.channels, self._services.channels.limits
        if topic not in self._connection.channels and len(self._connection.channels) >= limits.channels:
            raise InvalidInput("ChannelRateLimitReached: Too many channels")
        if len(join.changes) > limits.bindings:
            raise InvalidInput(f"InvalidJoinPayload: at most {limits.bindings} postgres_changes")
        if not channels.joins.take():
            raise InvalidInput("ClientJoinRateLimitReached: Too many joins per second")

    async def _admit(self, holder: Holder, join: Join) -> tuple[tuple[Binding, ...], str | None]:
        """What the channel follows: all that it asks for, or with the reason nothing.

        Raises InvalidInput, Unauthorized, and Unavailable or TimeoutError where clients are to try again.
        """
        source = self._services.source
        async with asyncio.timeout(_SOURCE_PATIENCE):
            await source.ready.wait()
        refusal = await self._services.refusal(holder, join)
        if refusal is not None:
            raise Unauthorized(refusal)
        fault: str | None = None
        bindings: tuple[Binding, ...] = ()
        try:
            bindings = parse_bindings(join.changes)
            for binding in bindings:
                await self._services.database.check(holder, binding)
        except InvalidInput as error:
            fault, bindings = str(error), ()
        if not source.ready.is_set():  # whoever joined before has been told that it was lost; this one has not
            raise Unavailable("changes cannot be followed at the moment")
        self._take_share(holder, bindings)
        return bindings, fault

    def _take_share(self, holder: Holder, bindings: tuple[Binding, ...]) -> None:
        """Raises InvalidInput where a person has too much. Asked last, as the same one may have joined elsewhere."""
        if holder.person is None:
            return
        channels, limits = self._services.channels, self._services.channels.limits
        joined, asked = channels.of_person(holder.person)
        if joined >= limits.person_channels:
            raise InvalidInput("ChannelRateLimitReached: Too many channels of this account")
        if asked + len(bindings) > limits.person_bindings:
            raise InvalidInput("ChannelRateLimitReached: Too many postgres_changes of this account")

    def _welcome(self, channel: Channel, fault: str | None) -> None:
        if channel.join.presence:
            channel.push("presence_state", "{}")
        if channel.join.changes:
            status, told = ("ok", "Subscribed to PostgreSQL") if fault is None else ("error", fault)
            channel.system("postgres_changes", status, told)
        if channel.join.tells_replication:
            channel.system("system", "ok", "Replication connection established")

    async def _leave(self, channel: Channel, message: Message) -> None:
        self._services.channels.remove(channel)
        self._reply(message)
        channel.push("phx_close", "{}")

    async def _access_token(self, channel: Channel, message: Message) -> None:
        """A newer token. A key in its place is what a client sends that has signed out."""
        token = message.payload.get("access_token")
        if not isinstance(token, str) or not token:
            return
        try:
            holder = holder_of(token, self._services.keys)
            refusal = await self._services.refusal(holder, channel.join)
            if holder.person != channel.holder.person:
                self._take_share(holder, channel.bindings)
        except (InvalidInput, Unauthorized) as error:
            refusal = str(error)
        except Unavailable:
            self._services.channels.interrupt([channel], _AWAY)
            return
        if not channel.joined:  # it was closed while the database was asked
            return
        if refusal is None:
            self._services.channels.renew(channel, holder)
        else:
            self._services.channels.close(channel, refusal)

    async def _broadcast(self, channel: Channel, message: Message) -> None:
        """To everybody else on the channel. On a private one the policies for inserting decide."""
        event = message.payload.get("event")
        if not isinstance(event, str):
            self._reply(message, "a broadcast has an event")
            return
        if channel.join.private and channel.may_speak is None:
            try:
                channel.may_speak = await self._services.database.may_speak(channel.holder, channel.name)
            except Unavailable:
                self._reply(message, _AWAY)
                return
        if channel.join.private and not channel.may_speak:
            self._reply(message, _UNWRITABLE.format(channel.name))
            return
        everybody = self._services.channels.at(channel.name, private=channel.join.private)
        hearers = [each for each in everybody if each is not channel or channel.join.echoes]
        said = {"type": "broadcast", "event": event, "payload": message.payload.get("payload", {})}
        send_to(hearers, compact(said))
        if channel.join.acknowledges:
            self._reply(message)

    async def _presence(self, _: Channel, message: Message) -> None:
        self._reply(message, _NO_PRESENCE)

    def _reply(self, message: Message, error: str | None = None, response: dict[str, Any] | None = None) -> None:
        status, told = ("ok", response or {}) if error is None else ("error", {"reason": error})
        text = compact({"status": status, "response": told})
        references = (message.join_ref, message.ref)
        self._connection.put(encode(self._connection.version, references, message.topic, "phx_reply", text))
