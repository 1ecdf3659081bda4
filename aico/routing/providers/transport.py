"""Calls that can be ended: between short waits, a connection asks whether its call is to go on.

The question belongs to the calling thread, which a blocking client never leaves, so a pooled connection serves one call
after another and no call needs a thread of its own. Only the look-up of a host name cannot be cut short.
"""

import math
import os
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from errno import EINPROGRESS
from functools import cache, partial
from typing import Any, TypeVar

import httpcore2
import httpx2

from aico.core.usage import Usage

T = TypeVar("T")

SLICE_SECONDS = 0.25  # the longest that a call goes on after it was to stop


@cache
def tls() -> ssl.SSLContext:
    """One for all clients of a process: to read the authorities' certificates takes each 20 ms."""
    return httpx2.create_ssl_context()


class CallStopped(Exception):
    """The caller wanted no answer any more. `usage` is what the provider had reported by then."""

    def __init__(self, usage: Usage | None = None) -> None:
        super().__init__("the call was stopped")
        self.usage = usage


class DeadlinePassed(Exception):
    """The call took all the time that it was given."""


@dataclass(frozen=True, slots=True)
class _Call:
    deadline: float
    should_stop: Callable[[], bool]

    def slice(self) -> float:
        """Seconds to wait before asking again. Raises CallStopped or DeadlinePassed."""
        if self.should_stop():
            raise CallStopped
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise DeadlinePassed
        return min(left, SLICE_SECONDS)


_call: ContextVar[_Call] = ContextVar("call")


@contextmanager
def limited_call(deadline: float, should_stop: Callable[[], bool]) -> Iterator[None]:
    """What this thread sends and reads inside ends with CallStopped or DeadlinePassed when its time has come.

    `deadline` is in seconds of the monotonic clock. `should_stop` is asked with every read and at least four times a
    second, so it must be cheap.
    """
    token = _call.set(_Call(deadline, should_stop))
    try:
        yield
    finally:
        _call.reset(token)


def make_interruptible(client: httpx2.Client) -> None:
    """From now on the client may be used inside `limited_call` only.

    The attributes are private: by its public constructor a client takes a network backend only within a transport that
    is built anew, which would lose the proxies that it reads from the environment.
    """
    for transport in (client._transport, *client._mounts.values()):  # noqa: SLF001 - see above; held by a test
        if isinstance(transport, httpx2.HTTPTransport):
            transport._pool._network_backend = InterruptibleBackend()  # noqa: SLF001 - likewise


class InterruptibleBackend(httpcore2.NetworkBackend):
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """The first of the host's addresses that answers; each is given `timeout` seconds."""
        _call.get().slice()  # nothing is begun after the end
        source = (local_address, 0) if local_address is not None else None
        options = (*(socket_options or ()), (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1))
        failure = OSError(f"{host} has no address")
        with _renamed(httpcore2.ConnectTimeout, httpcore2.ConnectError):
            for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
                try:
                    return InterruptibleStream(
                        _connect(socket.socket(family, kind, protocol), address, source, timeout, options)
                    )
                except OSError as error:
                    failure = error
            raise failure


class InterruptibleStream(httpcore2.NetworkStream):
    """Reading and writing are limited by the call as a whole, and not by the timeout of the single step."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        del timeout
        with _renamed(httpcore2.ReadTimeout, httpcore2.ReadError):
            return _in_slices(self._sock, partial(self._sock.recv, max_bytes))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        del timeout
        rest = memoryview(buffer)
        with _renamed(httpcore2.WriteTimeout, httpcore2.WriteError):
            while rest:
                rest = rest[_in_slices(self._sock, partial(self._sock.send, rest)) :]

    def close(self) -> None:
        self._sock.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        if isinstance(self._sock, ssl.SSLSocket):
            self.close()
            raise httpcore2.UnsupportedProtocol("https through a proxy that is itself reached by https")
        with _renamed(httpcore2.ConnectTimeout, httpcore2.ConnectError), _closed_on_failure(self._sock):
            secured = ssl_context.wrap_socket(
                self._sock, server_hostname=server_hostname, do_handshake_on_connect=False
            )
            with _closed_on_failure(secured):
                _in_slices(secured, secured.do_handshake, timeout)
            return InterruptibleStream(secured)

    def get_extra_info(self, info: str) -> Any:
        match info:
            case "ssl_object":
                return self._sock if isinstance(self._sock, ssl.SSLSocket) else None
            case "socket":
                return self._sock
            case "client_addr":
                return self._sock.getsockname()
            case "server_addr":
                return self._sock.getpeername()
            case "is_readable":  # for an idle connection: it was closed at the other end
                return self._sock.fileno() < 0 or _ready(self._sock, select.POLLIN, 0)
            case _:
                return None


def _connect(
    sock: socket.socket,
    address: Any,
    source: tuple[str, int] | None,
    timeout: float | None,
    options: Iterable[httpcore2.SOCKET_OPTION],
) -> socket.socket:
    with _closed_on_failure(sock):
        for option in options:
            sock.setsockopt(*option)
        if source is not None:
            sock.bind(source)
        sock.setblocking(False)
        _raise_for(sock.connect_ex(address), but=EINPROGRESS)
        _in_slices(sock, partial(_finish_connecting, sock), timeout)
    return sock


def _finish_connecting(sock: socket.socket) -> None:
    if not _ready(sock, select.POLLOUT, sock.gettimeout() or 0):
        raise TimeoutError
    _raise_for(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))


def _in_slices(sock: socket.socket, step: Callable[[], T], timeout: float | None = None) -> T:
    """The step's result, however many slices it takes. Raises TimeoutError after `timeout` seconds."""
    call = _call.get()
    give_up = time.monotonic() + (math.inf if timeout is None else timeout)
    while True:
        sock.settimeout(call.slice())
        try:
            return step()
        except TimeoutError as error:
            if error.errno is not None or time.monotonic() >= give_up:  # an error number: the system gave up, not we
                raise


def _ready(sock: socket.socket, event: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(sock, event)
    return bool(poll.poll(math.ceil(seconds * 1000)))


def _raise_for(code: int, *, but: int = 0) -> None:
    if code not in {0, but}:
        raise OSError(code, os.strerror(code))


@contextmanager
def _closed_on_failure(sock: socket.socket) -> Iterator[None]:
    try:
        yield
    except BaseException:
        sock.close()
        raise


@contextmanager
def _renamed(timed_out: type[Exception], broken: type[Exception]) -> Iterator[None]:
    """The client's names for what a socket raises."""
    try:
        yield
    except TimeoutError as error:
        raise timed_out(str(error)) from error
    except OSError as error:
        raise broken(str(error)) from error
