"""Batches over HTTP: made, read, listed and cancelled. No worker runs; what one would do is tested beside it."""

from collections.abc import Callable
from typing import Any, Literal

import httpx2
import psycopg
import pytest
import redis
from api.conftest import Connect, wait_until
from api.test_files import assert_refused, upload
from conftest import Tenant
from openai import OpenAI

NOBODYS = f"file-{'0' * 32}"
ENDPOINT: Literal["/v1/chat/completions"] = "/v1/chat/completions"


@pytest.fixture
def file(api: httpx2.Client) -> str:
    return str(upload(api).json()["id"])


def asked(file: str, **fields: Any) -> dict[str, Any]:
    return {"input_file_id": file, "endpoint": ENDPOINT, "completion_window": "24h", **fields}


def create(api: httpx2.Client, file: str, key: str | None = None, **fields: Any) -> httpx2.Response:
    return api.post("/v1/batches", json=asked(file, **fields), headers={"Idempotency-Key": key} if key else {})


def end(admin: psycopg.Connection[Any], batch: str, status: str) -> None:
    admin.execute("update batches set status = %s, finished_at = now() where id = %s", (status, batch[6:]))


def test_a_batch_is_made_and_its_worker_told(api: httpx2.Client, file: str, broker: redis.Redis) -> None:
    before = broker.llen("lines")
    made = create(api, file, metadata={"team": "a"})
    assert made.status_code == 200, made.text
    batch = made.json()
    assert batch["id"].startswith("batch_")
    assert (batch["object"], batch["endpoint"], batch["input_file_id"]) == ("batch", ENDPOINT, file)
    assert (batch["status"], batch["completion_window"], batch["metadata"]) == ("validating", "24h", {"team": "a"})
    assert batch["request_counts"] == {"total": 0, "completed": 0, "failed": 0}
    assert batch["expires_at"] - batch["created_at"] == 24 * 3600
    nothing = ("errors", "output_file_id", "error_file_id", "in_progress_at", "completed_at", "failed_at")
    assert {batch[name] for name in nothing} == {None}
    assert api.get(f"/v1/batches/{batch['id']}").json() == batch
    wait_until(lambda: broker.llen("lines") > before)


def test_the_official_client_makes_reads_lists_and_cancels(service: str, tenant: Tenant, file: str) -> None:
    with OpenAI(base_url=f"{service}/v1", api_key=tenant.key, max_retries=0) as client:
        batch = client.batches.create(input_file_id=file, endpoint=ENDPOINT, completion_window="24h")
        assert client.batches.retrieve(batch.id) == batch
        assert [found.id for found in client.batches.list()] == [batch.id]
        cancelled = client.batches.cancel(batch.id)
        assert cancelled.status == "cancelling"
        assert cancelled.cancelling_at is not None
        assert client.batches.cancel(batch.id).status == "cancelling"


@pytest.mark.parametrize("window", ["90s", "30m", "1h", "7d"])
def test_other_windows_than_a_day_are_taken(api: httpx2.Client, file: str, window: str) -> None:
    assert create(api, file, completion_window=window).json()["completion_window"] == window


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"endpoint": "/v1/completions"}, "endpoint"),
        ({"endpoint": "/v1/embeddings"}, "endpoint"),
        ({"completion_window": "soon"}, "completion_window"),
        ({"completion_window": "8d"}, "completion_window"),
        ({"metadata": {"a": "x" * 513}}, "metadata.a"),
        ({"metadata": {str(number): "" for number in range(17)}}, "metadata"),
        ({"output_expires_after": {"anchor": "created_at", "seconds": 1}}, "output_expires_after.seconds"),
        ({"input_file_id": NOBODYS}, "input_file_id"),
        ({"input_file_id": "x"}, "input_file_id"),
        ({"input_file_id": "\x00"}, "input_file_id"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_is_no_batch_is_refused_and_stores_nothing(
    api: httpx2.Client, file: str, fields: dict[str, Any], param: str
) -> None:
    assert_refused(create(api, **asked(file, **fields) | {"file": fields.get("input_file_id", file)}), 400, param)
    assert api.get("/v1/batches").json()["data"] == []


def test_a_file_of_results_is_no_input(api: httpx2.Client, file: str, admin: psycopg.Connection[Any]) -> None:
    admin.execute("update files set purpose = 'batch_output' where id = %s", (file[5:],))
    assert_refused(create(api, file), 400, "input_file_id")


def test_the_same_key_and_request_stand_for_the_same_batch(api: httpx2.Client, file: str) -> None:
    first, second = (create(api, file, "a key") for _ in range(2))
    assert first.json()["id"] == second.json()["id"]
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert_refused(create(api, file, "a key", completion_window="1h"), 422, "Idempotency-Key")
    assert create(api, file, "another").json()["id"] != first.json()["id"]
    assert len(api.get("/v1/batches").json()["data"]) == 2


def test_a_key_that_failed_for_want_of_its_file_is_free(api: httpx2.Client, file: str) -> None:
    assert_refused(create(api, NOBODYS, "a key"), 400, "input_file_id")
    assert create(api, file, "a key").status_code == 200


def test_batches_are_listed_newest_first_page_by_page(api: httpx2.Client, file: str) -> None:
    ids = [create(api, file).json()["id"] for _ in range(5)][::-1]
    first = api.get("/v1/batches", params={"limit": 3}).json()
    assert [batch["id"] for batch in first["data"]] == ids[:3]
    assert (first["first_id"], first["last_id"], first["has_more"]) == (ids[0], ids[2], True)
    rest = api.get("/v1/batches", params={"limit": 3, "after": first["last_id"]}).json()
    assert [batch["id"] for batch in rest["data"]] == ids[3:]
    assert not rest["has_more"]
    assert_refused(api.get("/v1/batches", params={"after": "x"}), 400, "after")
    assert_refused(api.get("/v1/batches", params={"limit": 101}), 400, "limit")


@pytest.mark.parametrize("status", ["completed", "failed", "expired"])
def test_what_has_ended_cannot_be_cancelled(
    api: httpx2.Client, file: str, admin: psycopg.Connection[Any], status: str
) -> None:
    batch = create(api, file).json()["id"]
    end(admin, batch, status)
    refused = api.post(f"/v1/batches/{batch}/cancel")
    assert_refused(refused, 409, "batch_id", f"the batch is {status} already")
    assert refused.headers["x-should-retry"] == "false"
    seen = api.get(f"/v1/batches/{batch}").json()
    assert seen[f"{status}_at"] is not None


def test_the_input_of_an_open_batch_is_kept(api: httpx2.Client, file: str, admin: psycopg.Connection[Any]) -> None:
    batch = create(api, file).json()["id"]
    assert_refused(api.delete(f"/v1/files/{file}"), 409, "file_id")
    end(admin, batch, "completed")
    assert api.delete(f"/v1/files/{file}").json() == {"id": file, "object": "file", "deleted": True}
    assert api.get(f"/v1/batches/{batch}").json()["input_file_id"] == file


def test_another_tenants_batches_and_files_do_not_exist(
    api: httpx2.Client, connect: Connect, service: str, make_tenant: Callable[[], Tenant], file: str
) -> None:
    other = connect(service, make_tenant().key)
    theirs = create(other, upload(other).json()["id"]).json()
    assert_refused(api.get(f"/v1/batches/{theirs['id']}"), 404, "batch_id")
    assert_refused(api.post(f"/v1/batches/{theirs['id']}/cancel"), 404, "batch_id")
    assert_refused(create(api, theirs["input_file_id"]), 400, "input_file_id")
    mine = create(api, file).json()["id"]
    page = api.get("/v1/batches", params={"after": f"batch_{'f' * 32}"}).json()
    assert [batch["id"] for batch in page["data"]] == [mine]
    assert other.get(f"/v1/batches/{theirs['id']}").json()["status"] == "validating"


@pytest.mark.parametrize("name", ["batch_", "batch_x", f"batch_{'0' * 32}", NOBODYS, "0"])
def test_what_is_no_batch_is_not_found(api: httpx2.Client, name: str) -> None:
    assert_refused(api.get(f"/v1/batches/{name}"), 404, "batch_id")
    assert_refused(api.post(f"/v1/batches/{name}/cancel"), 404, "batch_id")


def test_a_batch_needs_a_key_that_may_write(connect: Connect, service: str, file: str) -> None:
    assert create(connect(service), file).status_code == 401


def test_a_response_that_is_a_line_of_a_batch_is_kept_with_it(
    api: httpx2.Client, file: str, admin: psycopg.Connection[Any]
) -> None:
    batch = create(api, file, endpoint="/v1/responses").json()["id"]
    made = api.post("/v1/responses", json={"model": "auto", "input": "Hi", "background": True}).json()["id"]
    admin.execute("update jobs set batch_id = %s, batch_line = 1 where id = %s", (batch[6:], made[5:]))
    assert_refused(api.delete(f"/v1/responses/{made}"), 409, "response_id")
    assert api.get(f"/v1/responses/{made}").json()["status"] == "queued"
