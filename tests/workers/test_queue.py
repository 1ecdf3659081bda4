"""Hand-built messages must be what kombu itself would have sent."""

import base64
import json
from typing import Any
from uuid import uuid4

import redis
from celery import Celery

from aico.core.jobs import JobClass
from aico.workers.queue import Queue, TaskName, by_tenant, pushes, to_embed, to_record, to_route


def sent_by_kombu(redis_url: str, tenant: str, job: str) -> dict[str, Any]:
    app = Celery("contract", broker=redis_url, set_as_current=False)
    app.conf.update(task_ignore_result=True, task_serializer="json")
    client = redis.Redis.from_url(redis_url)
    client.delete(Queue.EMBED.value)
    app.send_task(TaskName.EMBED.value, args=(tenant, job), queue=Queue.EMBED.value)
    (raw,) = client.lrange(Queue.EMBED.value, 0, -1)
    client.delete(Queue.EMBED.value)
    client.close()
    app.close()
    return dict(json.loads(raw))


def decoded_body(message: dict[str, Any]) -> Any:
    return json.loads(base64.b64decode(message["body"]))


def test_messages_equal_kombus_own(redis_url: str) -> None:
    tenant, job = uuid4(), uuid4()
    (ours,) = [json.loads(text) for text in pushes([to_embed(tenant, job)])[Queue.EMBED.value]]
    theirs = sent_by_kombu(redis_url, str(tenant), str(job))
    assert ours.keys() == theirs.keys()
    assert ours["headers"].keys() == theirs["headers"].keys()
    assert ours["properties"].keys() == theirs["properties"].keys()
    assert decoded_body(ours) == decoded_body(theirs)
    own = {"id", "root_id", "argsrepr", "origin"}
    assert {k: v for k, v in ours["headers"].items() if k not in own} == {
        k: v for k, v in theirs["headers"].items() if k not in own
    }
    own = {"correlation_id", "delivery_tag", "reply_to"}
    assert {k: v for k, v in ours["properties"].items() if k not in own} == {
        k: v for k, v in theirs["properties"].items() if k not in own
    }


def test_every_message_has_its_own_identity() -> None:
    tenant = uuid4()
    texts = pushes([to_route(tenant, uuid4(), JobClass.BATCH) for _ in range(50)])[Queue.BATCH.value]
    messages = [json.loads(text) for text in texts]
    assert len({message["headers"]["id"] for message in messages}) == 50
    assert len({message["properties"]["delivery_tag"] for message in messages}) == 50
    assert all(message["headers"]["id"] == message["properties"]["correlation_id"] for message in messages)


def test_bells_go_to_the_queue_of_their_class() -> None:
    tenant, job = uuid4(), uuid4()
    bells = [to_embed(tenant, job), to_record(tenant, job), *(to_route(tenant, job, each) for each in JobClass)]
    assert set(pushes(bells)) == {"embed", "record", "interactive", "standard", "batch"}


def test_batching_workers_get_several_of_a_tenants_jobs_in_a_message() -> None:
    one, two = uuid4(), uuid4()
    jobs = [uuid4() for _ in range(20)]
    texts = pushes([*(to_embed(one, job) for job in jobs), to_embed(two, jobs[0])])[Queue.EMBED.value]
    arguments = [decoded_body(json.loads(text))[0] for text in texts]
    assert [len(each) - 1 for each in arguments] == [8, 8, 4, 1]
    assert by_tenant([tuple(each) for each in arguments]) == {one: jobs, two: jobs[:1]}


def test_arguments_are_grouped_by_tenant_and_each_job_stands_once() -> None:
    first, second, job, other = uuid4(), uuid4(), uuid4(), uuid4()
    messages = [(str(first), str(job)), (str(second), str(other)), (str(first), str(job))]
    assert by_tenant(messages) == {first: [job], second: [other]}
