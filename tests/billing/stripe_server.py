"""Stripe for tests: what localstripe has not, after Stripe's documentation, behind Stripe's own library.

Customers, checkout and portal pages, subscriptions in today's format, and meter events that are counted once for each
identifier. A repeated idempotency key gets the first reply again, and is refused where the request is another one.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

from aico.embedded.ports import LOOPBACK

Reply = tuple[int, dict[str, Any]]
PERIOD = 1_790_000_000, 1_792_592_000


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    form: dict[str, str]
    key: str | None
    authorization: str | None


@dataclass
class StripeServer:
    url: str = ""
    calls: list[Call] = field(default_factory=list)
    customers: dict[str, dict[str, Any]] = field(default_factory=dict)
    subscriptions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # by customer
    used: Counter[str] = field(default_factory=Counter)  # by customer
    identifiers: set[str] = field(default_factory=set)
    replies: dict[str, tuple[Call, Reply]] = field(default_factory=dict)  # by idempotency key
    down: bool = False  # answers 500, and asks not to be asked again
    hangs_up: bool = False  # does what it is asked to, and says nothing
    on_list: Callable[[], None] = lambda: None  # called when subscriptions are asked for
    lock: threading.Lock = field(default_factory=threading.Lock)
    numbers: Iterator[int] = field(default_factory=count)

    def posts(self, path: str) -> list[Call]:
        return [call for call in self.calls if (call.method, call.path) == ("POST", path)]

    def subscribe(self, customer: str, price: str, status: str = "active", subscription: str = "sub_1") -> None:
        """In place of all others."""
        start, end = PERIOD
        item = {"object": "subscription_item", "price": {"object": "price", "id": price}}
        self.subscriptions[customer] = [
            {
                "object": "subscription",
                "id": subscription,
                "customer": customer,
                "status": status,
                "created": start,
                "cancel_at_period_end": False,
                "items": {
                    "object": "list",
                    "data": [{**item, "current_period_start": start, "current_period_end": end}],
                },
            }
        ]

    def cancel(self, customer: str) -> None:
        self.subscriptions[customer] = []

    def respond(self, call: Call) -> Reply | None:
        with self.lock:
            self.calls.append(call)
            if self.down:
                return 500, {"error": {"type": "api_error", "message": "not now"}}
            reply = self._once(call)
            return None if self.hangs_up else reply

    def _once(self, call: Call) -> Reply:
        if call.key is None:
            return self._act(call)
        first, reply = self.replies.get(call.key) or (call, self._act(call))
        if (first.path, first.form) != (call.path, call.form):
            return _refusal(
                "Keys for idempotent requests can only be used with the same parameters", "idempotency_error"
            )
        self.replies[call.key] = first, reply
        return reply

    def _act(self, call: Call) -> Reply:
        if call.method == "GET" and call.path == "/v1/subscriptions":
            self.on_list()
            return self._list(call.form["customer"])
        number = next(self.numbers)
        if call.path == "/v1/customers":
            customer = {"object": "customer", "id": f"cus_{uuid4().hex}", "name": call.form["name"]}
            self.customers[str(customer["id"])] = customer
            return 200, customer
        if call.path == "/v1/billing/meter_events":
            return self._count(call.form)
        if call.form.get("customer") not in self.customers:
            return _no_customer()
        page = {"/v1/checkout/sessions": "checkout", "/v1/billing_portal/sessions": "portal"}[call.path]
        return 200, {"object": f"{page}.session", "id": f"s_{number}", "url": f"https://{page}.stripe.com/{number}"}

    def _list(self, customer: str) -> Reply:
        if customer not in self.customers:
            return _no_customer()
        found = self.subscriptions.get(customer, [])
        return 200, {"object": "list", "data": found, "has_more": False, "url": "/v1/subscriptions"}

    def _count(self, form: dict[str, str]) -> Reply:
        if form["identifier"] in self.identifiers:
            return _refusal(f"An event already exists with identifier {form['identifier']}.")
        self.identifiers.add(form["identifier"])
        self.used[form["payload[stripe_customer_id]"]] += int(form["payload[value]"])
        return 200, {"object": "billing.meter_event", **form}


def _refusal(message: str, kind: str = "invalid_request_error", code: str | None = None) -> Reply:
    return 400, {"error": {"type": kind, "message": message, **({"code": code} if code else {})}}


def _no_customer() -> Reply:
    return _refusal("No such customer", code="resource_missing")


@contextmanager
def stripe_server() -> Iterator[StripeServer]:
    state = StripeServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # or an answer's body waits 40 ms for the receipt of its head

        def do_GET(self) -> None:
            self._answer("GET", urlsplit(self.path).query)

        def do_POST(self) -> None:
            self._answer("POST", self.rfile.read(int(self.headers["Content-Length"])).decode())

        def _answer(self, method: str, sent: str) -> None:
            headers = self.headers
            call = Call(
                method,
                urlsplit(self.path).path,
                dict(parse_qsl(sent)),
                headers.get("Idempotency-Key"),
                headers.get("Authorization"),
            )
            reply = state.respond(call)
            if reply is None:
                self.close_connection = True
                return
            status, body = reply
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            if status >= 500:
                self.send_header("Stripe-Should-Retry", "false")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://{LOOPBACK}:{server.server_port}"
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
