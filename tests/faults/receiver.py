"""A receiver of webhooks that writes down when it heard of which job."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

from faults.local_server import Connection, Request, response, serving


class Receiver:
    """Keeps what it is told by `webhook-id`, as receivers should: the same may be told more than once."""

    def __init__(self) -> None:
        self.told: dict[str, str] = {}  # by webhook-id: the job
        self.status: dict[str, str] = {}  # by job
        self.first_told: dict[str, float] = {}  # by job: Unix time
        self.repeated = 0

    async def handle(self, request: Request, connection: Connection) -> None:
        delivery = request.headers["webhook-id"]
        data = json.loads(request.body)["data"]
        self.repeated += delivery in self.told
        self.told[delivery] = data["id"]
        self.status[data["id"]] = data["status"]
        self.first_told.setdefault(data["id"], time.time())
        await connection.send(response(204, b""))


@contextmanager
def receiving() -> Iterator[tuple[Receiver, str]]:
    receiver = Receiver()
    with serving(receiver.handle) as url:
        yield receiver, f"{url}/hook"
