"""Deliveries reach nothing but the address that was judged, under the name in the URL."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Tenant
from workers.conftest import Rows
from workers.notifying import Receiver, add, certificate, end, receiving, ring

from aico.workers import notify
from aico.workers.runtime import Runtime


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name below .test is this machine's."""
    look_up = socket.getaddrinfo

    def loopback(host: Any, *args: Any, **kwargs: Any) -> Any:
        return look_up("127.0.0.1" if str(host).endswith(".test") else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", loopback)


@pytest.mark.usefixtures("names")
def test_a_certificate_must_be_for_the_name_in_the_url(
    notifier: Runtime, tenant: Tenant, rows: Rows, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = certificate("hooks.test", tmp_path)
    monkeypatch.setattr(notify, "_tls", lambda: ssl.create_default_context(cafile=own))
    with receiving(own) as receiver:
        port = receiver.url.rpartition(":")[2]
        add(notifier, tenant, f"https://hooks.test:{port}/mine")
        add(notifier, tenant, f"https://other.test:{port}/not-mine")
        ring(tenant, end(notifier, tenant).deliveries)
    ((path, headers, _),) = receiver.received
    assert (path, headers["host"]) == ("/mine", f"hooks.test:{port}")
    assert sorted(row["last_error"] or row["status"] for row in rows(tenant)) == [
        "delivered",
        "the connection failed: ConnectError",
    ]


@pytest.fixture
def guarded(notifier: Runtime, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """A worker as it is by default: private addresses are not for it."""
    made = replace(notifier, settings=notifier.settings.model_copy(update={"webhook_allow_private": False}))
    monkeypatch.setattr(notify, "get_runtime", lambda: made)
    return made


@pytest.mark.usefixtures("names", "guarded")
def test_a_name_of_a_private_address_is_not_connected_to(
    notifier: Runtime, receiver: Receiver, tenant: Tenant, rows: Rows
) -> None:
    port = receiver.url.rpartition(":")[2]
    add(notifier, tenant, f"https://hooks.test:{port}/")
    add(notifier, tenant, receiver.url)
    ring(tenant, end(notifier, tenant).deliveries)
    assert receiver.received == []
    assert sorted(row["last_error"] for row in rows(tenant)) == [
        "a webhook's URL begins with https://; plain http needs WEBHOOK_ALLOW_PRIVATE=true",
        "hooks.test is not at a public address",
    ]


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that connections were opened to; those beyond this machine are refused."""
    opened: list[str] = []
    loop = asyncio.selector_events.BaseSelectorEventLoop
    connect = loop.sock_connect

    async def refuse(self: Any, sock: socket.socket, address: Any) -> None:
        opened.append(address[0])
        if not address[0].startswith("127."):
            raise ConnectionRefusedError
        await connect(self, sock, address)

    monkeypatch.setattr(loop, "sock_connect", refuse)
    return opened


def test_a_name_that_changes_its_address_never_leads_inside(
    guarded: Runtime,
    receiver: Receiver,
    tenant: Tenant,
    rows: Rows,
    make_due: Callable[[Tenant], None],
    connections: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers, asked = ["93.184.215.14", "127.0.0.1"], []

    def look_up(host: Any, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers[min(len(asked), len(answers)) - 1], port))]

    add(guarded, tenant, f"https://hooks.test:{receiver.url.rpartition(':')[2]}/")
    told = end(guarded, tenant)
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    ring(tenant, told.deliveries)
    assert (asked, connections) == (["hooks.test"], ["93.184.215.14"])
    make_due(tenant)
    ring(tenant, told.deliveries)
    assert (asked, connections) == (["hooks.test"] * 2, ["93.184.215.14"])
    assert receiver.received == []
    (row,) = rows(tenant)
    assert [attempt["error"] for attempt in row["log"]] == [
        "the connection failed: ConnectError",
        "hooks.test is not at a public address",
    ]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(
    notifier: Runtime, receiver: Receiver, tenant: Tenant, rows: Rows, connections: list[str], status: int
) -> None:
    with receiving() as inside:
        receiver.replies = [(status, {"Location": inside.url})]
        add(notifier, tenant, receiver.url)
        ring(tenant, end(notifier, tenant).deliveries)
        assert inside.received == []
    assert len(connections) == len(receiver.received) == 1
    assert [(row["status"], row["last_status"]) for row in rows(tenant)] == [("pending", status)]
