"""A receiver of webhooks with an address for each tenant, which keeps all that it is sent, as it was sent."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from faults.local_server import Connection, Request, response, serving


@dataclass
class Hooks:
    url: str = ""
    received: defaultdict[str, list[Request]] = field(default_factory=lambda: defaultdict(list))  # by path

    async def handle(self, request: Request, connection: Connection) -> None:
        self.received[request.path].append(request)
        await connection.send(response(204, b""))


@contextmanager
def receiving() -> Iterator[Hooks]:
    hooks = Hooks()
    with serving(hooks.handle) as url:
        hooks.url = url
        yield hooks
