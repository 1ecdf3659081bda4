"""What is made of receivers that answer in every way, misbehave, or are not there."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from conftest import Tenant
from workers.conftest import Rows
from workers.notifying import Receiver, add, end, ring

from aico.workers import notify
from aico.workers.runtime import Runtime

IN_TWO_HOURS = format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True)


@pytest.mark.parametrize(
    ("reply", "status", "least_wait"),
    [
        ((200, {}), "delivered", 0),
        ((204, {}), "delivered", 0),
        ((301, {"Location": "http://127.0.0.1:1/"}), "pending", 0),
        ((302, {"Location": "/elsewhere"}), "pending", 0),
        ((307, {"Location": "http://169.254.169.254/latest/meta-data"}), "pending", 0),
        ((400, {}), "failed", 0),
        ((404, {}), "failed", 0),
        ((410, {}), "failed", 0),
        ((408, {}), "pending", 0),
        ((429, {"Retry-After": "7200"}), "pending", 7000),
        ((429, {"Retry-After": IN_TWO_HOURS}), "pending", 5000),
        ((429, {"Retry-After": "soon"}), "pending", 0),
        ((500, {}), "pending", 0),
        ((502, {}), "pending", 0),
        ((503, {"Retry-After": "1"}), "pending", 0),
    ],
)
def test_replies(
    notifier: Runtime,
    receiver: Receiver,
    tenant: Tenant,
    rows: Rows,
    reply: tuple[int, dict[str, str]],
    status: str,
    least_wait: float,
) -> None:
    receiver.replies = [reply]
    add(notifier, tenant, receiver.url)
    ring(tenant, end(notifier, tenant).deliveries)
    (row,) = rows(tenant)
    assert (row["status"], row["last_status"]) == (status, reply[0])
    assert status != "pending" or row["wait"].total_seconds() > least_wait
    assert len(receiver.received) == 1


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/slow", "no answer within 0 s"),
        ("/drip", "no answer within 0 s"),
        ("/close", "the connection failed: RemoteProtocolError"),
        ("/reset", "the connection failed: ReadError"),
        ("/huge", "the connection failed: RemoteProtocolError"),
    ],
)
def test_a_receiver_that_misbehaves_is_left_and_tried_again(
    notifier: Runtime,
    receiver: Receiver,
    tenant: Tenant,
    rows: Rows,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    error: str,
) -> None:
    if path in {"/slow", "/drip"}:
        monkeypatch.setattr(notify, "TIMEOUT_SECONDS", 0.3)
    add(notifier, tenant, receiver.url + path)
    ring(tenant, end(notifier, tenant).deliveries)
    (row,) = rows(tenant)
    assert (row["status"], row["last_status"], row["last_error"]) == ("pending", None, error)
    assert len(receiver.received) == 1


def test_a_body_without_end_is_left_unread(notifier: Runtime, receiver: Receiver, tenant: Tenant, rows: Rows) -> None:
    add(notifier, tenant, f"{receiver.url}/endless")
    ring(tenant, end(notifier, tenant).deliveries)
    assert [(row["status"], row["last_status"]) for row in rows(tenant)] == [("delivered", 200)]


def test_an_endpoint_that_cannot_be_connected_to_is_tried_again(
    notifier: Runtime, receiver: Receiver, tenant: Tenant, rows: Rows
) -> None:
    add(notifier, tenant, "http://127.0.0.1:9/")
    add(notifier, tenant, receiver.url.replace("http:", "https:"))  # where nobody speaks TLS
    ring(tenant, end(notifier, tenant).deliveries)
    found = [(row["status"], row["last_error"]) for row in rows(tenant)]
    assert found == [("pending", "the connection failed: ConnectError")] * 2
