"""A small HTTP server in a thread of its own, for what the product calls: providers and receivers of webhooks."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from aico.embedded.ports import LOOPBACK

_END_OF_HEAD = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Request:
    path: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes


@dataclass(frozen=True, slots=True)
class Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def hung_up(self, seconds: float) -> bool:
        """Whether the other end closed the connection within so many seconds. It sends nothing unasked."""
        try:
            async with asyncio.timeout(seconds):
                return await self.reader.read(1) == b""
        except TimeoutError:
            return False

    def reset(self) -> None:
        """Close without a word."""
        self.writer.transport.abort()

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()


Handler = Callable[[Request, Connection], Awaitable[None]]
Doorman = Callable[[], bool]  # whether a new connection is let in


def response(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    head = f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{lines}\r\n"
    return head.encode() + body


@contextmanager
def serving(handle: Handler, lets_in: Doorman = lambda: True) -> Iterator[str]:
    """The address at which `handle` answers."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="local server")
    thread.start()
    opening = asyncio.start_server(partial(_converse, handle, lets_in), LOOPBACK, 0, backlog=512)
    server = asyncio.run_coroutine_threadsafe(opening, loop).result()
    try:
        yield f"http://{LOOPBACK}:{server.sockets[0].getsockname()[1]}"
    finally:
        asyncio.run_coroutine_threadsafe(_close(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _close(server: asyncio.Server) -> None:
    server.close()
    conversations = asyncio.all_tasks() - {asyncio.current_task()}
    for one in conversations:
        one.cancel()
    await asyncio.gather(*conversations, return_exceptions=True)


async def _converse(
    handle: Handler, lets_in: Doorman, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    connection = Connection(reader, writer)
    try:
        while lets_in() and not writer.is_closing():
            await handle(await _read(reader), connection)
    except (asyncio.IncompleteReadError, ConnectionError):
        return  # the caller hung up, which is its right
    except asyncio.CancelledError:
        return  # the server closes; a task that ended in any other way would be complained about
    finally:
        connection.reset()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(_END_OF_HEAD)).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Request(first.split(" ")[1], headers, await reader.readexactly(int(headers.get("content-length", "0"))))
