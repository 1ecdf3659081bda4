"""A tenant whose jobs are answered, and who has something of every kind to be asked for."""

import base64
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from functools import reduce
from itertools import count
from operator import getitem
from typing import Any
from uuid import UUID
from zlib import crc32

import httpx2
import redis
from api.conftest import wait_until
from builders import ending_of
from conftest import Tenant
from schemathesis import Case

from aico.core.jobs import JobClass, JobError, JobStatus
from aico.core.settings import Settings
from aico.store import claims
from aico.store.blocking import Database
from aico.store.claims import Claim, Ending
from aico.store.scope import Scope
from aico.workers.queue import DONE_CHANNEL

AnyCase = Case[Any]

LONGEST_WAIT = 0.05  # seconds that a caller waits for a job that does not end
# Not "all_candidates_failed": that is a 502 to whoever waits, and here every 5xx is a fault.
_REFUSED = JobError(code="request_refused", message="the provider does not accept this")


def every_fourth_fails() -> Callable[[Claim], Ending]:
    numbers = count()
    return lambda claim: failed(claim) if next(numbers) % 4 == 0 else ending_of(claim)


@contextmanager
def answering(settings: Settings, database: Database, ending: Callable[[Claim], Ending]) -> Iterator[None]:
    """A route worker that knows all answers at once."""
    stop = threading.Event()

    def end(tenant: UUID, job: UUID) -> None:
        scope = Scope.tenant(tenant)
        for claim in database.run(scope, claims.claim(tenant, job, 30)):
            database.run(scope, claims.finish(tenant, [ending(claim)], 3600))

    def work() -> None:
        with redis.Redis.from_url(settings.redis_url.get_secret_value()) as broker:
            while not stop.is_set():
                message = broker.brpop([job_class.value for job_class in JobClass], timeout=0.2)
                if message is not None:
                    tenant, job = json.loads(base64.b64decode(json.loads(message[1])["body"]))[0]
                    end(UUID(tenant), UUID(job))
                    broker.publish(DONE_CHANNEL, job)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def failed(claim: Claim) -> Ending:
    return Ending(claim.id, claim.fence, JobStatus.FAILED, error=_REFUSED)


@dataclass(frozen=True)
class World:
    """A server, a credential, and the ids that its paths may name, by the name of the parameter."""

    address: str
    tenant: Tenant
    known: Mapping[str, Sequence[str]]

    @property
    def call(self) -> dict[str, Any]:
        """What each call takes beside its case."""
        return {
            "base_url": self.address,
            "headers": {"Authorization": f"Bearer {self.tenant.key}"},
            "timeout": 20,
            "allow_redirects": False,
        }

    def steer(self, case: AnyCase) -> None:
        """Half of the ids that are some become ids of what is there, and nobody waits for long."""
        for name, ids in self.known.items():
            value = str(case.path_parameters.get(name, ""))
            number = crc32(value.encode(errors="backslashreplace"))
            if value and number % 2 and (_is_uuid(value) or not _is_uuid(ids[0])):
                case.path_parameters[name] = ids[number // 2 % len(ids)]
        if any(parameter.name == "wait" for parameter in case.operation.query):
            wait = case.query.get("wait", 1)
            if isinstance(wait, int | float) and 0 <= wait <= 60:
                case.query["wait"] = min(wait, LONGEST_WAIT)


def with_nul(case: AnyCase) -> Iterator[str]:
    """Gives the case a NUL at the end of each text of its query and its body in turn, and says at which place.

    That character is valid JSON and valid in a URL, and Postgres does not store it. Chance hits on it too rarely.
    """
    return placed(case, lambda text: text[:-1] + "\x00")  # as long as before


def placed(case: AnyCase, change: Callable[[str], str]) -> Iterator[str]:
    """Changes each text of the case's query and its body in turn, and says at which place."""
    for part in ("query", "body"):
        values = getattr(case, part)
        if isinstance(values, dict | list):
            for place, steps in _texts(values):
                spoilt = deepcopy(values)
                *above, last = steps
                holder = reduce(getitem, above, spoilt)
                holder[last] = change(holder[last])
                setattr(case, part, spoilt)
                yield f"{part}{place}"
            setattr(case, part, values)


def _texts(value: Any, place: str = "", steps: tuple[Any, ...] = ()) -> Iterator[tuple[str, tuple[Any, ...]]]:
    if isinstance(value, str):
        yield place, steps
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, f"{place}.{key}", (*steps, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _texts(inner, f"{place}[]", (*steps, index))


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def populated(address: str, tenant: Tenant, member: UUID) -> World:
    """A member, jobs of both outcomes, an answer at each of OpenAI's doors, and an endpoint with two deliveries."""
    with httpx2.Client(base_url=address, headers={"Authorization": f"Bearer {tenant.key}"}, timeout=20) as client:

        def made(path: str, **body: Any) -> str:
            return str(client.post(path, json=body).raise_for_status().json()["id"])

        jobs = [made("/v1/jobs", prompt=f"question {number}") for number in range(5)]
        wait_until(lambda: not client.get("/v1/jobs", params={"status": "queued"}).json()["data"])
        own = f"for {tenant.id}"  # a namespace that no other tenant has
        made("/v1/jobs", prompt="first", system=own)
        made("/v1/jobs", prompt="second", system=own)
        wait_until(lambda: not client.get("/v1/jobs", params={"status": "queued"}).json()["data"])
        namespaces = client.get("/v1/cache/namespaces", params={"limit": 100}).raise_for_status().json()["data"]
        (namespace,) = [one["namespace"] for one in namespaces if one["label"] == own]
        kept = client.get("/v1/cache/entries", params={"namespace": namespace}).raise_for_status().json()["data"]
        hook = made("/v1/webhooks", url="https://hooks.example.com/aico")
        sent = {"file": ("lines.jsonl", b'{"custom_id": "a"}\n')}
        file = client.post("/v1/files", files=sent, data={"purpose": "batch"}).raise_for_status().json()["id"]
        batch = {"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
        said = [{"role": "user", "content": "a conversation"}]
        confirm = client.get("/v1/tenant").raise_for_status().json()["name"]
        arms = [{"name": "a"}, {"name": "b"}]
        erasure = {"scope": {"tag": "none"}, "confirm": confirm}
        return World(
            address,
            tenant,
            {
                "job_id": jobs,
                "provider": ["openai", "anthropic", "local"],
                "completion_id": [made("/v1/chat/completions", model="auto", messages=said)],
                "response_id": [
                    made("/v1/responses", model="auto", input=f"a thing {number}", background=True, stream=False)
                    for number in range(4)
                ],
                "file_id": [file],
                "batch_id": [made("/v1/batches", **batch)],
                "webhook_id": [hook],
                "key_id": [made("/v1/api-keys", name=f"key {number}") for number in range(2)],
                "user_id": [str(member)],
                "invitation_id": [made("/v1/invitations", email="new@example.com") for _ in range(2)],
                "experiment_id": [made("/v1/experiments", name=f"x {number}", arms=arms) for number in range(2)],
                "export_id": [made("/v1/exports")],
                "erasure_id": [made("/v1/erasures", **erasure)],
                "entry_id": [one["id"] for one in kept],
                "namespace": [namespace],
                "delivery_id": [made(f"/v1/webhooks/{hook}/test") for _ in range(2)],
            },
        )
