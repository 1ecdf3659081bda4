"""Who hears of batches, who rings for them, and how long they and their files are kept."""

import json
from datetime import UTC, datetime
from typing import Any

from openai import OpenAI
from openai.types.webhooks import BatchCompletedWebhookEvent
from pydantic import SecretStr
from standardwebhooks import Webhook
from workers.batching import Scene, line, scene

from aico.core.ids import new_id
from aico.store import batches, webhooks
from aico.store.files import delete, purge
from aico.store.scope import Scope
from aico.workers.sweep import Sweeper

__all__ = ["scene"]


def signed(payload: dict[str, Any], secret: SecretStr) -> tuple[str, dict[str, str]]:
    """What a receiver gets: the body, and the headers of a delivery."""
    body, now = json.dumps(payload), datetime.now(UTC)
    signature = Webhook(secret.get_secret_value()).sign("msg_1", now, body)
    return body, {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }


def test_whoever_asked_for_them_hears_of_the_ends_of_batches_and_not_of_lines(scene: Scene) -> None:
    tenant, secret = scene.tenant.id, webhooks.make_secret()
    all_events, some, none = new_id(), new_id(), new_id()
    for endpoint, events in ((all_events, []), (some, ["batch.completed"]), (none, ["batch.failed"])):
        scene.run(webhooks.add(tenant, endpoint, "https://hooks.example.com", secret, events))
    batch = scene.taken_in([line("a")])
    scene.answer(scene.jobs(batch)[0])
    scene.finish(batch)
    rows = scene.sql("select endpoint_id, event, payload from webhook_deliveries where tenant_id = %(t)s", t=tenant)
    assert {row["endpoint_id"] for row in rows} == {all_events, some}
    assert {row["event"] for row in rows} == {"batch.completed"}
    payload = rows[0]["payload"]
    assert payload["id"].startswith("evt_")
    assert isinstance(payload["created_at"], int)
    assert (payload["object"], payload["type"]) == ("event", "batch.completed")
    assert payload["data"] == {"id": f"batch_{batch.hex}"}
    assert len({row["payload"]["id"] for row in rows}) == 1
    event = OpenAI(api_key="none").webhooks.unwrap(*signed(payload, secret), secret=secret.get_secret_value())
    assert isinstance(event, BatchCompletedWebhookEvent)
    assert event.data.id == f"batch_{batch.hex}"
    scene.step(scene.batch(b""))
    failed = scene.sql(
        "select endpoint_id from webhook_deliveries where tenant_id = %(t)s and event = 'batch.failed'", t=tenant
    )
    assert {row["endpoint_id"] for row in failed} == {all_events, none}
    assert scene.runtime.redis.llen("notify") == 4


def test_the_sweeper_rings_for_what_is_due_and_for_nothing_that_is_held(scene: Scene) -> None:
    batch = scene.batch([line("a")])
    due = {one.batch for one in scene.runtime.database.run(Scope.system(), batches.due(limit=1000))}
    assert batch in due
    scene.claim(batch)
    due = {one.batch for one in scene.runtime.database.run(Scope.system(), batches.due(limit=1000))}
    assert batch not in due
    scene.sql("update batches set lease_until = null where id = %(b)s", b=batch)
    scene.runtime.redis.delete("lines")
    Sweeper(scene.runtime)._ring_for_batches()
    assert scene.runtime.redis.llen("lines") > 0


def test_what_a_batch_still_needs_is_neither_deleted_nor_purged(scene: Scene) -> None:
    batch = scene.taken_in([line("a")])
    scene.answer(scene.jobs(batch)[0])
    scene.step(batch)  # the files of results are begun
    file = scene.see(batch).input_file_id
    scene.sql("update files set expires_at = now() - interval '1 s' where tenant_id = %(t)s", t=scene.tenant.id)
    assert scene.run(delete(scene.tenant.id, file)) == []
    scene.sql("update jobs set created_at = now() - interval '9 d', finished_at = now() - interval '9 d'")
    database = scene.runtime.database
    database.run(Scope.system(), purge(limit=1000))
    Sweeper(scene.runtime)._keep_house()
    assert len(scene.jobs(batch)) == 1
    assert scene.finish(batch).output_file_id is not None
    database.run(Scope.system(), purge(limit=1000))
    assert scene.sql("select id from files where tenant_id = %(t)s", t=scene.tenant.id) == []


def test_old_batches_go_after_their_jobs(scene: Scene) -> None:
    batch = scene.taken_in([line("a"), line("b", colour="red")])
    scene.answer(scene.jobs(batch)[0])
    scene.finish(batch)
    scene.sql("update batches set finished_at = now() - interval '40 d' where id = %(b)s", b=batch)
    purge_batches = batches.purge(kept_days=30, limit=100)
    scene.runtime.database.run(Scope.system(), purge_batches)
    assert scene.see(batch).id == batch
    scene.sql("delete from jobs where batch_id = %(b)s", b=batch)
    scene.runtime.database.run(Scope.system(), purge_batches)
    assert scene.sql("select line from batch_faults where batch_id = %(b)s", b=batch) == []
    assert scene.run(batches.get(scene.tenant.id, batch)) == []
