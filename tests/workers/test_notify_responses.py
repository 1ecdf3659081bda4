"""The end of a background response, as OpenAI's own client verifies and reads it."""

from dataclasses import replace

import openai
from builders import completed, new_job
from conftest import Tenant
from openai.types.webhooks import ResponseCompletedWebhookEvent
from workers.conftest import Rows
from workers.notifying import Receiver, add, ring

from aico.core.jobs import CacheMode, Surface
from aico.store import jobs
from aico.store.scope import Scope
from aico.workers.finish import finish
from aico.workers.runtime import Runtime


def test_their_client_unwraps_what_is_delivered(
    notifier: Runtime, receiver: Receiver, tenant: Tenant, rows: Rows
) -> None:
    secret = add(notifier, tenant, receiver.url, "response.completed").secret.get_secret_value()
    job = replace(new_job("tell me", mode=CacheMode.OFF), surface=Surface.RESPONSE, echo={"background": True})
    notifier.database.run(Scope.tenant(tenant.id), jobs.submit(tenant.id, [job]))
    assert finish(notifier, tenant.id, [completed(job.id, 0)]) == [job.id]
    ring(tenant, [row["id"] for row in rows(tenant)])
    ((_, headers, body),) = receiver.received
    with openai.OpenAI(api_key="unused", webhook_secret=secret) as client:
        event = client.webhooks.unwrap(body, headers)
    assert isinstance(event, ResponseCompletedWebhookEvent)
    assert ResponseCompletedWebhookEvent.model_validate_json(body).data.id == f"resp_{job.id.hex}"
    assert event.data.id == f"resp_{job.id.hex}"
