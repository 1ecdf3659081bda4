"""Files over HTTP: stored in chunks, seen when they are whole, and by nobody else."""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import httpx2
import psycopg
import pytest
from api.conftest import Connect, serving
from conftest import Tenant
from openai import OpenAI

from aico.core.settings import Settings
from aico.store.blocking import Database
from aico.store.files import CHUNK_BYTES, purge
from aico.store.scope import Scope

LINE = b'{"custom_id": "a"}\n'


def upload(
    api: httpx2.Client, content: bytes = LINE, name: str = "in.jsonl", fields: Mapping[str, str] = MappingProxyType({})
) -> httpx2.Response:
    return api.post("/v1/files", files={"file": (name, content)}, data={"purpose": "batch", **fields})


def assert_refused(response: httpx2.Response, status: int, param: str | None, saying: str = "") -> None:
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert error["param"] == param
    assert saying in error["message"]


@pytest.fixture(scope="module")
def narrow(base_settings: Settings) -> Iterator[str]:
    """A service that takes files of up to 4 KB, and bodies of up to 1 KiB elsewhere."""
    with serving(base_settings.model_copy(update={"max_file_bytes": 4096, "max_body_bytes": 1024})) as url:
        yield url


def test_a_file_comes_back_as_it_was_sent(api: httpx2.Client) -> None:
    content = bytes(range(256)) * 4096 * 3 + b"the end"  # several chunks, and a bit
    assert len(content) > 2 * CHUNK_BYTES
    file = upload(api, content).json()
    assert file["id"].startswith("file-")
    assert (file["object"], file["bytes"], file["purpose"]) == ("file", len(content), "batch")
    assert (file["filename"], file["status"]) == ("in.jsonl", "processed")
    assert file["expires_at"] - file["created_at"] == 30 * 24 * 3600
    assert api.get(f"/v1/files/{file['id']}").json() == file
    read = api.get(f"/v1/files/{file['id']}/content")
    assert read.content == content
    assert read.headers["Content-Length"] == str(len(content))
    assert read.headers["Content-Disposition"] == "attachment; filename*=UTF-8''in.jsonl"


def test_the_official_client_stores_lists_reads_and_deletes(service: str, tenant: Tenant) -> None:
    with OpenAI(base_url=f"{service}/v1", api_key=tenant.key, max_retries=0) as client:
        expiry: Any = {"anchor": "created_at", "seconds": 3600}
        file = client.files.create(file=("q.jsonl", LINE), purpose="batch", expires_after=expiry)
        assert file.expires_at == file.created_at + 3600
        assert client.files.retrieve(file.id) == file
        assert client.files.content(file.id).content == LINE
        assert [found.id for found in client.files.list(purpose="batch")] == [file.id]
        assert client.files.delete(file.id).deleted
        assert list(client.files.list()) == []


def test_an_empty_file_is_a_file(api: httpx2.Client) -> None:
    file = upload(api, b"").json()
    assert file["bytes"] == 0
    assert api.get(f"/v1/files/{file['id']}/content").content == b""


def test_a_list_is_read_page_by_page_either_way(api: httpx2.Client) -> None:
    ids = [upload(api, name=f"{number}").json()["id"] for number in range(5)]
    for order, expected in (("asc", ids), ("desc", ids[::-1])):
        first = api.get("/v1/files", params={"limit": 3, "order": order}).json()
        assert [file["id"] for file in first["data"]] == expected[:3]
        assert (first["has_more"], first["first_id"], first["last_id"]) == (True, expected[0], expected[2])
        rest = api.get("/v1/files", params={"limit": 3, "order": order, "after": first["last_id"]}).json()
        assert [file["id"] for file in rest["data"]] == expected[3:]
        assert not rest["has_more"]
    assert api.get("/v1/files", params={"purpose": "batch_output"}).json()["data"] == []
    assert api.get("/v1/files", params={"purpose": "vision"}).json()["data"] == []


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"purpose": "fine-tune"}, "purpose"),
        ({"purpose": "batch_output"}, "purpose"),
        ({"colour": "red"}, "colour"),
        ({"expires_after[anchor]": "created_at", "expires_after[seconds]": "10"}, "expires_after[seconds]"),
        ({"expires_after[anchor]": "created_at"}, "expires_after[seconds]"),
        ({"expires_after[anchor]": "deleted_at", "expires_after[seconds]": "3600"}, "expires_after[anchor]"),
    ],
)
def test_an_upload_that_says_nonsense_is_refused_and_stores_nothing(
    api: httpx2.Client, fields: dict[str, str], param: str
) -> None:
    assert_refused(upload(api, fields=fields), 400, param)
    assert api.get("/v1/files").json()["data"] == []


def test_what_is_no_upload_is_refused(api: httpx2.Client) -> None:
    assert_refused(api.post("/v1/files", json={"purpose": "batch"}), 400, None, "multipart/form-data")
    assert_refused(api.post("/v1/files", data={"purpose": "batch"}, files={"x": ("a", b"")}), 400, "x")
    assert_refused(api.post("/v1/files", files={"purpose": (None, "batch"), "file": (None, "text")}), 400, "file")
    assert_refused(api.post("/v1/files", files={"file": ("a", b"x")}), 400, "purpose")
    broken = api.post("/v1/files", content=b"--x", headers={"Content-Type": "multipart/form-data"})
    assert broken.status_code == 400


@pytest.mark.parametrize("name", ["../../etc/passwd", "a\\b\\passwd", "/passwd"])
def test_a_name_is_the_last_part_of_a_path(api: httpx2.Client, name: str) -> None:
    assert upload(api, name=name).json()["filename"] == "passwd"


def test_a_file_may_be_larger_than_a_body_and_not_larger_than_a_file(
    connect: Connect, narrow: str, tenant: Tenant
) -> None:
    client = connect(narrow, tenant.key)
    assert upload(client, b"x" * 4096).status_code == 200
    assert_refused(upload(client, b"x" * 4097), 413, "file", "larger than 4096 bytes")
    assert_refused(upload(client, b"x" * 200_000), 413, None)
    assert client.post("/v1/batches", content=b" " * 2000).status_code == 413
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    unsized = (head if number == 0 else b"x" * 1000 for number in range(200))  # its end is never read
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    assert_refused(client.post("/v1/files", content=unsized, headers=form), 413, None)
    assert len(client.get("/v1/files").json()["data"]) == 1


def test_nobody_uploads_without_a_key(connect: Connect, service: str) -> None:
    refused = upload(connect(service), b"x" * 3 * CHUNK_BYTES)
    assert refused.status_code == 401


def test_another_tenants_file_does_not_exist(
    api: httpx2.Client, connect: Connect, service: str, make_tenant: Callable[[], Tenant]
) -> None:
    other = connect(service, make_tenant().key)
    theirs = upload(other).json()["id"]
    for response in (
        api.get(f"/v1/files/{theirs}"),
        api.get(f"/v1/files/{theirs}/content"),
        api.delete(f"/v1/files/{theirs}"),
    ):
        assert_refused(response, 404, "file_id")
    mine = upload(api).json()["id"]
    page = api.get("/v1/files", params={"after": theirs, "order": "asc"}).json()
    assert [file["id"] for file in page["data"]] == [mine]
    assert other.get(f"/v1/files/{theirs}/content").content == LINE


@pytest.mark.parametrize("name", ["file-", "file-x", f"file-{'0' * 32}", f"batch_{'0' * 32}", "0"])
def test_what_is_no_file_is_not_found(api: httpx2.Client, name: str) -> None:
    assert_refused(api.get(f"/v1/files/{name}"), 404, "file_id")
    assert_refused(api.delete(f"/v1/files/{name}"), 404, "file_id")


def test_an_expired_or_unfinished_file_is_not_seen_and_is_deleted(
    api: httpx2.Client, admin: psycopg.Connection[Any], tenant: Tenant, database: Database
) -> None:
    expired, half = (upload(api).json()["id"] for _ in range(2))
    kept = upload(api).json()["id"]
    late = "update files set expires_at = now() - interval '1 s' where tenant_id = %s and id = %s"
    admin.execute(late, (tenant.id, expired.removeprefix("file-")))
    unfinished = "update files set complete = false where tenant_id = %s and id = %s"
    admin.execute(unfinished, (tenant.id, half.removeprefix("file-")))
    for file in (expired, half):
        assert_refused(api.get(f"/v1/files/{file}"), 404, "file_id")
    assert [file["id"] for file in api.get("/v1/files").json()["data"]] == [kept]
    admin.execute(late, (tenant.id, half.removeprefix("file-")))
    database.run(Scope.system(), purge(limit=100))
    left = admin.execute("select distinct file_id from file_chunks where tenant_id = %s", (tenant.id,)).fetchall()
    assert [f"file-{row[0].hex}" for row in left] == [kept]
