"""The stand-in for Supabase Realtime: one route, /realtime/v1/websocket, beside those of the stand-in for Auth."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

from pydantic import SecretStr
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from aico.embedded.auth.files import Files
from aico.embedded.auth.gateway import Keys
from aico.embedded.auth.refusals import Refusal
from aico.embedded.auth.signing import SigningKeys
from aico.embedded.realtime.channels import Channels, Connection
from aico.embedded.realtime.database import Database
from aico.embedded.realtime.dispatch import LOST, Dispatcher
from aico.embedded.realtime.frames import Malformed, Version, decode
from aico.embedded.realtime.guard import watch
from aico.embedded.realtime.limits import Limits
from aico.embedded.realtime.session import Services, Session
from aico.embedded.realtime.source import ChangeSource
from aico.embedded.realtime.transport import ABORT

PATH = "/realtime/v1/websocket"
_CLOSE_SECONDS = 1.0
_GONE, _POLICY, _INTERNAL = 1001, 1008, 1011


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    url: str  # of the whole server, as clients know it: SUPABASE_URL
    database_url: SecretStr  # as the role aico_realtime
    files: Files
    origins: tuple[str, ...] = ()  # of pages that may connect, beside those of this server
    limits: Limits = field(default_factory=Limits)
    poll_seconds: float = 0.1


class Realtime:
    def __init__(self, config: Config) -> None:
        self._config = config
        url = config.database_url.get_secret_value()
        self._keys = Keys(config.files.publishable_key, config.files.secret_key)
        self.channels = Channels(config.limits)
        self._database = Database(url)
        self._dispatcher = Dispatcher(self.channels, self._database)
        source = ChangeSource(url, self._dispatcher.deliver, self._lost, poll_seconds=config.poll_seconds)
        signing = SigningKeys(config.files.signing_keys, f"{config.url}/auth/v1")
        self._services = Services(signing, self._database, self.channels, source)

    @property
    def routes(self) -> Sequence[BaseRoute]:
        return [WebSocketRoute(PATH, self._serve)]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        await self._database.open()
        tasks = [
            asyncio.create_task(self._services.source.run()),
            asyncio.create_task(self._dispatcher.run()),
            asyncio.create_task(watch(self._services, self._dispatcher)),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._database.close()

    def _lost(self) -> None:
        self.channels.interrupt(list(self.channels), LOST)

    async def _serve(self, websocket: WebSocket) -> None:
        try:
            version = self._admitted(websocket)
        except Refusal as refusal:
            await websocket.send_denial_response(JSONResponse({"error": refusal.message}, refusal.status))
            return
        connection = Connection(version, self._config.limits)
        self.channels.connections += 1
        try:
            await websocket.accept()
            await self._converse(websocket, connection)
        finally:
            self.channels.connections -= 1
            for channel in list(connection.channels.values()):
                self.channels.remove(channel)

    def _admitted(self, websocket: WebSocket) -> Version:
        """Raises Refusal."""
        query, headers = websocket.query_params, websocket.headers
        key = query.get("apikey") or headers.get("x-api-key") or headers.get("apikey")
        origin = headers.get("origin")
        self._keys.is_secret(key, browser=origin is not None, agent=headers.get("user-agent", ""))
        if origin is not None and origin not in (self._config.url, *self._config.origins):
            raise Refusal(HTTPStatus.FORBIDDEN, "origin_not_allowed", "This origin is not one of CORS_ORIGINS")
        if self.channels.connections >= self._config.limits.connections:
            raise Refusal(HTTPStatus.TOO_MANY_REQUESTS, "too_many_connections", "Too many connections")
        try:
            return Version(query.get("vsn", Version.ONE))
        except ValueError as error:
            raise Refusal(HTTPStatus.BAD_REQUEST, "unknown_version", "vsn is 1.0.0 or 2.0.0") from error

    async def _converse(self, websocket: WebSocket, connection: Connection) -> None:
        reading = asyncio.create_task(self._read(websocket, connection))
        writing = asyncio.create_task(connection.write(websocket))
        overrunning = asyncio.create_task(connection.overrun.wait())  # the writer waits for a client that does not read
        tasks = (reading, writing, overrunning)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended = [task for task in tasks if not task.cancel()]
            await asyncio.gather(*tasks, return_exceptions=True)
        if overrunning in ended:
            websocket.scope["extensions"].get(ABORT, lambda: None)()
        elif reading in ended:
            code, reason = reading.result()
            await _close(websocket, code, reason)

    async def _read(self, websocket: WebSocket, connection: Connection) -> tuple[int, str]:
        """Until the client has gone or must go; the code and the reason to close with."""
        session = Session(self._services, connection)
        try:
            while True:
                async with asyncio.timeout(self._config.limits.silence_seconds):
                    received = await websocket.receive()
                if received["type"] == "websocket.disconnect":
                    return _GONE, ""
                message = decode(connection.version, received.get("text"), received.get("bytes"))
                if not connection.messages.take():
                    return _POLICY, "Too many messages per second"
                await session.answer(message)
        except Malformed as error:
            return error.code, str(error)
        except TimeoutError:
            return _GONE, "no sign of life"


async def _close(websocket: WebSocket, code: int, reason: str) -> None:
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            await websocket.close(code, reason)
    except (RuntimeError, WebSocketDisconnect, TimeoutError):
        return  # it has gone by itself
