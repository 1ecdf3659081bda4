"""The queues, and messages that Celery's workers understand. A message holds ids only: the job's row is the truth.

Messages are built from one that kombu itself made, with another id and body. That costs a tenth of publishing through
kombu, and a contract test holds them against a real worker.
"""

import base64
import json
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any
from uuid import UUID

from celery import Celery

from aico.core.jobs import JobClass, Stage
from aico.store.jobs import NewJob, Submitted

DONE_CHANNEL = "aico:done"  # ids of jobs that reached a final state, separated by commas
CANCELLED_CHANNEL = "aico:cancelled"  # of those among them that were cancelled: whoever works on one may stop


class Queue(StrEnum):
    INTERACTIVE = "interactive"
    STANDARD = "standard"
    BATCH = "batch"
    EMBED = "embed"
    RECORD = "record"
    NOTIFY = "notify"
    LANE = "lane"
    LINES = "lines"  # of callers' batches; `batch` is the class of jobs that can wait
    DATA = "data"  # exports and erasures
    LEARN = "learn"
    COMPARE = "compare"  # answered jobs that another model is to answer too


class TaskName(StrEnum):
    EMBED = "aico.embed"
    VECTORS = "aico.vectors"
    EXPLAIN = "aico.explain"
    ROUTE = "aico.route"
    RECORD = "aico.record"
    NOTIFY = "aico.notify"
    LANE = "aico.lane"
    BATCH = "aico.batch"
    DATA = "aico.data"
    LEARN = "aico.learn"
    COMPARE = "aico.compare"
    CALIBRATE = "aico.calibrate"


# What the second argument of a task names, as its log lines call it; the first is a tenant.
SUBJECTS = {
    TaskName.ROUTE: "job_id",
    TaskName.COMPARE: "job_id",
    TaskName.CALIBRATE: "job_id",
    TaskName.NOTIFY: "delivery_id",
    TaskName.LANE: "batch_id",
    TaskName.BATCH: "batch_id",
    TaskName.DATA: "data_request_id",
}
JOBS_IN_A_MESSAGE = {TaskName.EMBED: 8, TaskName.RECORD: 100}  # elsewhere one: a job is a thread's work


@dataclass(frozen=True, slots=True)
class Bell:
    """A hint that there is work to do. Losing one costs time, never the work."""

    queue: Queue
    task: TaskName
    tenant: UUID
    id: UUID  # of a job, a webhook delivery, a batch, a provider's batch, an ask, an export or an erasure


def to_embed(tenant: UUID, job: UUID) -> Bell:
    return Bell(Queue.EMBED, TaskName.EMBED, tenant, job)


def to_vectors(tenant: UUID, ask: UUID) -> Bell:
    return Bell(Queue.EMBED, TaskName.VECTORS, tenant, ask)


def to_explain(tenant: UUID, ask: UUID) -> Bell:
    return Bell(Queue.EMBED, TaskName.EXPLAIN, tenant, ask)


def to_route(tenant: UUID, job: UUID, job_class: JobClass) -> Bell:
    return Bell(Queue(job_class.value), TaskName.ROUTE, tenant, job)


def to_record(tenant: UUID, job: UUID) -> Bell:
    return Bell(Queue.RECORD, TaskName.RECORD, tenant, job)


def to_notify(tenant: UUID, delivery: UUID) -> Bell:
    return Bell(Queue.NOTIFY, TaskName.NOTIFY, tenant, delivery)


FORM_BATCHES = UUID(int=0)  # instead of a batch: parked jobs are to be formed into some


def to_lane(tenant: UUID, batch: UUID | None) -> Bell:
    return Bell(Queue.LANE, TaskName.LANE, tenant, batch or FORM_BATCHES)


def to_batch(tenant: UUID, batch: UUID) -> Bell:
    return Bell(Queue.LINES, TaskName.BATCH, tenant, batch)


def to_data(tenant: UUID, request: UUID) -> Bell:
    return Bell(Queue.DATA, TaskName.DATA, tenant, request)


def to_learn(tenant: UUID) -> Bell:
    return Bell(Queue.LEARN, TaskName.LEARN, tenant, tenant)  # a tenant has one learner


def to_compare(tenant: UUID, job: UUID) -> Bell:
    return Bell(Queue.COMPARE, TaskName.COMPARE, tenant, job)


def to_calibrate(tenant: UUID, job: UUID) -> Bell:
    return Bell(Queue.LEARN, TaskName.CALIBRATE, tenant, job)  # the namespace in which the job's check is


def to_work(tenant: UUID, job: UUID, stage: Stage, job_class: JobClass) -> Bell:
    """For whoever takes a job on from where it stands."""
    return to_embed(tenant, job) if stage is Stage.EMBED else to_route(tenant, job, job_class)


def bells_for(tenant: UUID, job: NewJob, stored: Submitted) -> list[Bell]:
    """What is to be rung when a job has been stored."""
    if stored.answer is not None:
        return [to_record(tenant, job.id), *(to_notify(tenant, delivery) for delivery in stored.deliveries)]
    if not stored.admitted:
        return []  # refused, or the feeder rings when its turn comes
    return [to_work(tenant, job.id, job.stage, job.job_class)]


def by_tenant(messages: Iterable[tuple[str, ...]]) -> dict[UUID, list[UUID]]:
    """The arguments of many messages, a tenant and its jobs each; here every job stands once."""
    grouped: dict[UUID, dict[UUID, None]] = defaultdict(dict)
    for tenant, *jobs in messages:
        grouped[UUID(tenant)] |= dict.fromkeys(map(UUID, jobs))
    return {tenant: list(jobs) for tenant, jobs in grouped.items()}


def pushes(bells: Iterable[Bell]) -> Mapping[str, list[str]]:
    """What to LPUSH: for each queue's list its messages, in order.

    Where a worker takes jobs in batches anyway, one message carries several of a tenant's: most of a message's cost is
    the message.
    """
    together: dict[tuple[Queue, TaskName, UUID], list[UUID]] = defaultdict(list)
    for bell in bells:
        together[bell.queue, bell.task, bell.tenant].append(bell.id)
    messages: dict[str, list[str]] = defaultdict(list)
    for (queue, task, tenant), jobs in together.items():
        size = JOBS_IN_A_MESSAGE.get(task, 1)
        messages[queue.value] += [
            _message(queue, task, [str(tenant), *map(str, jobs[start : start + size])])
            for start in range(0, len(jobs), size)
        ]
    return messages


def _message(queue: Queue, task: TaskName, arguments: list[str]) -> str:
    template = _template(queue, task)
    message_id = str(uuid.uuid4())
    body = json.dumps([arguments, {}, _EMBED]).encode()
    return json.dumps(
        {
            **template,
            "body": base64.b64encode(body).decode(),
            "headers": {**template["headers"], "id": message_id, "root_id": message_id, "argsrepr": str(arguments)},
            "properties": {
                **template["properties"],
                "correlation_id": message_id,
                "delivery_tag": str(uuid.uuid4()),
            },
        }
    )


_EMBED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


@cache
def _template(queue: Queue, task: TaskName) -> dict[str, Any]:
    """One message as kombu puts it into a queue, caught from its in-memory transport."""
    app = Celery("template", broker="memory://", set_as_current=False)
    app.conf.update(task_ignore_result=True, task_serializer="json")
    with app.connection_for_write() as connection:
        app.send_task(task.value, args=("", ""), queue=queue.value, connection=connection)
        channel: Any = connection.default_channel
        message: dict[str, Any] = channel._get(queue.value)  # noqa: SLF001 - the raw message has no public accessor
    return message
