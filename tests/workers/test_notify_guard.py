"""Deliveries reach nothing but the address that was judged, under the name in the URL."""

import socket
import ssl
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
        ring(tenant, end(notifier, tenant))
    ((path, headers, _),) = receiver.received
    assert (path, headers["host"]) == ("/mine", f"hooks.test:{port}")
    assert sorted(row["last_error"] or row["status"] for row in rows(tenant)) == [
        "delivered",
        "the connection failed: ConnectError",
    ]


@pytest.mark.usefixtures("names")
def test_a_name_of_a_private_address_is_not_connected_to(
    notifier: Runtime, receiver: Receiver, tenant: Tenant, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded = replace(notifier, settings=notifier.settings.model_copy(update={"webhook_allow_private": False}))
    monkeypatch.setattr(notify, "get_runtime", lambda: guarded)
    port = receiver.url.rpartition(":")[2]
    add(notifier, tenant, f"https://hooks.test:{port}/")
    add(notifier, tenant, receiver.url)
    ring(tenant, end(notifier, tenant))
    assert receiver.received == []
    assert sorted(row["last_error"] for row in rows(tenant)) == [
        "a webhook's URL begins with https://; plain http needs WEBHOOK_ALLOW_PRIVATE=true",
        "hooks.test is not at a public address",
    ]
