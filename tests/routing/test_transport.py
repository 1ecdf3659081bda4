"""Calls that end when they must, over real sockets.

Where a call did not, these tests would run into its timeout of 60 s and see another exception.
"""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from routing.keeping_alive import ANSWER, keeping_alive
from workers.notifying import certificate

from aico.core.chat import ChatRequest, Message, Role
from aico.routing.models import Model
from aico.routing.providers.failures import ProviderError
from aico.routing.providers.profiles import PROFILE_BY_NAME
from aico.routing.providers.provider import Provider
from aico.routing.providers.transport import (
    CallStopped,
    DeadlinePassed,
    InterruptibleBackend,
    limited_call,
    make_interruptible,
)

FAR = float("inf")
REQUEST = ChatRequest(messages=(Message(role=Role.USER, content="Hello"),))


class Asked:
    """Says stop once it has been asked so often."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.times = 0

    def __call__(self) -> bool:
        self.times += 1
        return self.times > self.limit


def never() -> bool:
    return False


@contextmanager
def open_provider(url: str, connections: int = 4) -> Iterator[Provider]:
    profile = replace(PROFILE_BY_NAME["openai"], base_url=url)
    with closing(Provider(profile, None, max_connections=connections)) as provider:
        yield provider


@pytest.fixture
def model(make_model: Callable[..., Model]) -> Model:
    return make_model("m")


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """Takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A port at which connecting takes for ever: the queue of connections that nobody accepts is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening:
        waiting = []
        for _ in range(4):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(listening.getsockname())
            waiting.append(sock)
        yield listening.getsockname()[1]
        for sock in waiting:
            sock.close()


def test_calls_in_turn_share_one_connection(model: Model) -> None:
    with keeping_alive() as server, open_provider(server.url) as provider:
        for _ in range(3):
            assert provider.send_message(REQUEST, model, timeout=5).text == "Hi"
        assert len(server.connections) == 1


def test_a_stopped_call_takes_its_connection_with_it(model: Model) -> None:
    with keeping_alive() as server, open_provider(server.url) as provider:
        provider.send_message(REQUEST, model, timeout=5)
        server.stalls = True
        with pytest.raises(CallStopped):
            provider.send_message(REQUEST, model, timeout=60, should_stop=Asked(4))
        assert server.closed.acquire(timeout=30)
        server.stalls = False
        provider.send_message(REQUEST, model, timeout=5)
        assert len(server.connections) == 2


def test_a_call_in_mid_body_ends_at_its_deadline(model: Model) -> None:
    with keeping_alive() as server, open_provider(server.url) as provider:
        server.stalls = True
        with pytest.raises(ProviderError, match="openai took longer than the attempt was given"):
            provider.send_message(REQUEST, model, timeout=0.1)
        assert server.closed.acquire(timeout=30)


def test_no_call_waits_for_another_ones_connection(model: Model) -> None:
    with keeping_alive() as server, open_provider(server.url, connections=1) as provider:
        server.stalls = True
        stop = threading.Event()

        def stall() -> None:
            with pytest.raises(CallStopped):
                provider.send_message(REQUEST, model, timeout=60, should_stop=stop.is_set)

        thread = threading.Thread(target=stall)
        thread.start()
        try:
            while not server.connections:
                stop.wait(0.01)
            with pytest.raises(CallStopped):
                provider.send_message(REQUEST, model, timeout=60, should_stop=lambda: len(server.connections) == 2)
        finally:
            stop.set()
            thread.join()


def test_stopping_one_call_leaves_the_others_alone(model: Model) -> None:
    with keeping_alive() as server, open_provider(server.url) as provider:
        texts: list[str] = []
        inside, go_on = threading.Event(), threading.Event()

        def asked_elsewhere() -> bool:
            inside.set()
            return not go_on.wait(30)

        answering = threading.Thread(
            target=lambda: texts.append(
                provider.send_message(REQUEST, model, timeout=60, should_stop=asked_elsewhere).text
            )
        )
        answering.start()
        assert inside.wait(30)
        with pytest.raises(CallStopped):
            provider.send_message(REQUEST, model, timeout=60, should_stop=lambda: True)
        go_on.set()
        answering.join()
        assert texts == ["Hi"]


def test_a_call_that_is_to_stop_already_connects_to_nobody(silent: socket.socket, model: Model) -> None:
    with open_provider(f"http://127.0.0.1:{silent.getsockname()[1]}") as provider, pytest.raises(CallStopped):
        provider.send_message(REQUEST, model, timeout=60, should_stop=lambda: True)
    silent.setblocking(False)
    with pytest.raises(BlockingIOError):
        silent.accept()


def test_connecting_stops(black_hole: int, model: Model) -> None:
    with open_provider(f"http://127.0.0.1:{black_hole}") as provider, pytest.raises(CallStopped):
        provider.send_message(REQUEST, model, timeout=60, should_stop=Asked(2))


def test_connecting_ends_at_the_deadline(black_hole: int, model: Model) -> None:
    with (
        open_provider(f"http://127.0.0.1:{black_hole}") as provider,
        pytest.raises(ProviderError, match="openai took longer than the attempt was given"),
    ):
        provider.send_message(REQUEST, model, timeout=0.1)


def test_an_address_is_given_up_after_its_own_time(black_hole: int) -> None:
    with client() as opened, limited_call(FAR, never), pytest.raises(httpx2.ConnectTimeout):
        opened.get(f"http://127.0.0.1:{black_hole}", timeout=httpx2.Timeout(60, connect=0.1))


def test_a_refused_connection(model: Model) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with open_provider(f"http://127.0.0.1:{port}") as provider, pytest.raises(ProviderError, match="ConnectError"):
        provider.send_message(REQUEST, model, timeout=5)


def test_the_next_address_of_a_host_is_tried(monkeypatch: pytest.MonkeyPatch, silent: socket.socket) -> None:
    port = silent.getsockname()[1]
    tcp = (socket.AF_INET, socket.SOCK_STREAM, 0, "")
    with socket.create_server(("127.0.0.1", 0)) as gone:
        closed = gone.getsockname()[1]
    found = [(*tcp, ("127.0.0.1", closed)), (*tcp, ("127.0.0.1", port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_named: found)
    with limited_call(FAR, never):
        stream = InterruptibleBackend().connect_tcp("somewhere", port, timeout=5)
    assert stream.get_extra_info("server_addr") == ("127.0.0.1", port)
    stream.close()


def test_securing_a_connection_stops(silent: socket.socket, model: Model) -> None:
    with open_provider(f"https://127.0.0.1:{silent.getsockname()[1]}") as provider, pytest.raises(CallStopped):
        provider.send_message(REQUEST, model, timeout=60, should_stop=Asked(3))


def test_sending_stops(silent: socket.socket) -> None:
    body = b"x" * 30_000_000  # more than what waits in the buffers of two sockets
    with client() as opened, limited_call(FAR, Asked(10)), pytest.raises(CallStopped):
        opened.post(f"http://127.0.0.1:{silent.getsockname()[1]}", content=body, timeout=60)


def test_a_deadline_that_has_passed(silent: socket.socket) -> None:
    with client() as opened, limited_call(0.0, never), pytest.raises(DeadlinePassed):
        opened.get(f"http://127.0.0.1:{silent.getsockname()[1]}")


def test_calls_through_tls(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    serving, trusting = contexts
    with keeping_alive(serving) as server, client(verify=trusting) as opened:
        for _ in range(2):
            with limited_call(FAR, never):
                assert opened.post(server.url, content=b"x" * 2_000_000).content == ANSWER
        assert len(server.connections) == 1
        server.stalls = True
        with limited_call(FAR, Asked(6)), pytest.raises(CallStopped):
            opened.post(server.url, content=b"x")


def test_a_stranger_s_certificate_is_refused(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    with (
        keeping_alive(contexts[0]) as server,
        client() as opened,
        limited_call(FAR, never),
        pytest.raises(httpx2.ConnectError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        opened.post(server.url, content=b"x")


def test_proxies_of_the_environment_are_kept_and_interruptible(
    monkeypatch: pytest.MonkeyPatch, silent: socket.socket
) -> None:
    """The one place that holds the private attributes: after an upgrade that moves them it fails."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{silent.getsockname()[1]}")
    with client() as opened, limited_call(FAR, Asked(5)), pytest.raises(CallStopped):
        opened.get("http://provider.invalid", timeout=60)
    accepted, _ = silent.accept()
    with accepted:
        assert accepted.recv(100).startswith(b"GET http://provider.invalid/")


@contextmanager
def client(*, verify: ssl.SSLContext | bool = True) -> Iterator[httpx2.Client]:
    with httpx2.Client(verify=verify) as opened:
        make_interruptible(opened)
        yield opened


@pytest.fixture
def contexts(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The contexts of a server on the loopback, and of a client that trusts it."""
    pem = certificate("localhost", tmp_path)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(pem)
    return serving, ssl.create_default_context(cafile=str(pem))
