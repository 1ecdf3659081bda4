"""Where changes come from: a slot of Postgres's log, read by SQL in the order of the commits, without gaps.

The slot goes with its session, so nothing piles up for a reader that is away. What is committed meanwhile is lost, and
subscribers are told so.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from secrets import token_hex
from typing import Any

import psycopg
from psycopg import AsyncConnection

from aico.core.logs import log
from aico.embedded.realtime.pgoutput import Change, Decoder
from aico.store.connection import connect_arguments

_CHANNEL = "aico_realtime"  # on which the database says that there is a message
_MOST = 1000  # messages of the log at a time; a transaction is never cut, but is handed on in parts of this size
_RETRY_SECONDS = 0.5

Hand = Callable[[list[Change]], Awaitable[None]]


class ChangeSource:
    """Hands on each batch, and waits until it has been dealt with. `lost` is called whenever changes may be missing."""

    def __init__(self, url: str, hand: Hand, lost: Callable[[], None], *, poll_seconds: float = 0.1) -> None:
        self._url = url
        self._hand = hand
        self._lost = lost
        self._poll_seconds = poll_seconds
        self._wake = asyncio.Event()
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """For ever: begins anew when the database has been away."""
        while True:
            try:
                async with self._connected() as reader, self._connected() as listener:
                    await self._follow(reader, listener)
            except (psycopg.Error, OSError) as error:
                log.warning("realtime_source_lost", error=type(error).__name__)
            except Exception:  # noqa: BLE001 # one change that cannot be dealt with does not end all of them
                log.exception("realtime_source_failed")
            finally:
                if self.ready.is_set():
                    self.ready.clear()
                    self._lost()
            await asyncio.sleep(_RETRY_SECONDS)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection[Any]]:
        connection = await AsyncConnection.connect(self._url, **connect_arguments("aico-realtime-source"))
        try:
            yield connection
        finally:
            await connection.close()

    async def _follow(self, reader: AsyncConnection[Any], listener: AsyncConnection[Any]) -> None:
        slot = f"aico_realtime_{token_hex(8)}"
        await reader.execute("select realtime.open_changes(%s)", (slot,))
        await listener.execute(f"listen {_CHANNEL}")
        waking = asyncio.create_task(self._listen(listener))
        decoder = Decoder()
        self.ready.set()
        log.info("realtime_source_ready")
        try:
            while True:
                self._wake.clear()
                if not await self._read(reader, slot, decoder):
                    await reader.execute("select realtime.trim_changes(%s)", (slot,))
                    await self._rest(waking)
        finally:
            waking.cancel()

    async def _read(self, reader: AsyncConnection[Any], slot: str, decoder: Decoder) -> bool:
        """Whether there was anything."""
        changes: list[Change] = []
        found = False
        cursor = reader.cursor(binary=True)
        async for (message,) in cursor.stream("select realtime.read_changes(%s, %s)", (slot, _MOST)):
            found = True
            change = decoder.feed(message)
            if change is not None:
                changes.append(change)
            if len(changes) == _MOST:
                await self._hand(changes)
                changes = []
        if changes:
            await self._hand(changes)
        return found

    async def _rest(self, waking: asyncio.Task[None]) -> None:
        waiting = asyncio.create_task(self._wake.wait())
        try:
            await asyncio.wait({waiting, waking}, timeout=self._poll_seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if waking.done():
            waking.result()

    async def _listen(self, listener: AsyncConnection[Any]) -> None:
        async for _ in listener.notifies():
            self._wake.set()
