"""Everything that is a tenant's in one file, whatever happens while it is written."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from builders import new_job
from conftest import Postgres, Tenant
from psycopg.rows import dict_row
from workers.erasing import Desk, fill

from aico.core.ids import new_id
from aico.core.jobs import CacheMode
from aico.store import data_requests, exports, files, jobs
from aico.store.data_requests import DataRequest, RequestKind, RequestStatus
from aico.store.scope import Scope
from aico.workers import archive, data, export_work
from aico.workers.runtime import Runtime

CHUNK = 500
Exported = dict[str, list[dict[str, Any]]]


@pytest.fixture
def desk(runtime: Runtime, tenant: Tenant, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Pages and chunks are small, so that a few rows fill several."""
    monkeypatch.setattr(archive, "PAGE_ROWS", 2)
    monkeypatch.setattr(export_work, "CHUNK_BYTES", CHUNK)
    with psycopg.connect(postgres.admin_url, row_factory=dict_row, autocommit=True) as admin:
        yield Desk(runtime, tenant, admin)


def ask(desk: Desk) -> UUID:
    (asked,) = desk.run(data_requests.create(desk.tenant.id, new_id(), RequestKind.EXPORT, "user:me"))
    return UUID(str(asked.id))


def see(desk: Desk, request: UUID) -> DataRequest:
    found: DataRequest = desk.run(data_requests.get(desk.tenant.id, RequestKind.EXPORT, request))[0]
    return found


def export(desk: Desk) -> DataRequest:
    request = ask(desk)
    data.work_on(desk.runtime, desk.tenant.id, request)
    return see(desk, request)


def content(desk: Desk, file: UUID | None) -> bytes:
    assert file is not None
    (found,) = desk.run(files.get(desk.tenant.id, file))
    read = b""
    while len(read) < found.bytes:
        read += desk.run(files.chunk(desk.tenant.id, file, len(read)))[0]
    return read


def unpacked(zipped: bytes) -> tuple[Exported, dict[str, Any]]:
    """Rows by table, and the manifest."""
    with zipfile.ZipFile(io.BytesIO(zipped)) as opened:
        assert opened.testzip() is None
        names = [name for name in opened.namelist() if name.endswith(".jsonl")]
        rows = {Path(name).stem: [json.loads(text) for text in opened.read(name).splitlines()] for name in names}
        return rows, json.loads(opened.read("manifest.json"))


def exported(desk: Desk) -> Exported:
    return unpacked(content(desk, export(desk).file_id))[0]


def test_every_table_is_exported_or_left_out_for_a_reason(desk: Desk) -> None:
    tables = {
        row["relname"]
        for row in desk.admin.execute(
            "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
        )
    }
    assert set(exported(desk)) == tables - exports.LEFT_OUT.keys()
    assert exports.LEFT_OUT.keys() <= tables
    assert all(exports.LEFT_OUT.values())


def test_all_rows_are_there_with_what_they_say(desk: Desk) -> None:
    answered = fill(desk)
    request = export(desk)
    zipped = content(desk, request.file_id)
    rows, manifest = unpacked(zipped)
    assert request.status is RequestStatus.COMPLETED
    assert request.sha256 == hashlib.sha256(zipped).hexdigest()
    assert len(zipped) > 10 * CHUNK
    assert {name: len(lines) for name, lines in rows.items()} == request.counts == manifest["rows"]
    assert request.counts["jobs"] == 6
    assert request.counts["ledger_attempts"] == 10
    jobs_by_id = {row["id"]: row for row in rows["jobs"]}
    one = jobs_by_id[str(answered[0].id)]
    assert one["request"] == answered[0].request
    assert one["answer"]["text"].startswith("it is")
    assert one["metadata"] == answered[0].metadata
    assert [row["id"] for row in rows["tenants"]] == [str(desk.tenant.id)]
    assert {row["tenant_id"] for name, lines in rows.items() if name != "tenants" for row in lines} == {
        str(desk.tenant.id)
    }
    assert set(manifest["left_out"]) == exports.LEFT_OUT.keys()


def test_no_secret_is_handed_out(desk: Desk) -> None:
    fill(desk)
    secrets = desk.admin.execute(
        "select secret from webhook_endpoints where tenant_id = %s", (desk.tenant.id,)
    ).fetchall()
    rows = exported(desk)
    text = json.dumps(rows)
    assert secrets[0]["secret"] not in text
    assert desk.tenant.key not in text
    assert "hash" not in rows["api_keys"][0]
    columns = {column for lines in rows.values() for row in lines for column in row} - {"old_hash_until"}  # a time
    assert not {column for column in columns if "secret" in column or "hash" in column or "cipher" in column}


def test_another_tenants_rows_are_not_there(desk: Desk, make_tenant: Callable[[], Tenant]) -> None:
    other = Desk(desk.runtime, make_tenant(), desk.admin)
    job = other.answered()
    assert str(other.tenant.id) not in json.dumps(exported(desk))
    assert [row["id"] for row in exported(other)["jobs"]] == [str(job.id)]


def test_an_export_that_is_cut_off_is_begun_anew_with_another_file(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(desk)
    request = ask(desk)
    real, appended = exports.append, []

    def dying(*arguments: Any) -> Any:
        appended.append(arguments[1])
        if len(appended) == 3:
            raise SystemError("the process is killed")
        return real(*arguments)

    monkeypatch.setattr(exports, "append", dying)
    held = desk.hold(request)
    with pytest.raises(SystemError):
        export_work.export(desk.runtime, held)
    assert desk.run(files.get(desk.tenant.id, appended[0])) == []  # nobody sees a part of it
    desk.let_go(request)
    data.work_on(desk.runtime, desk.tenant.id, request)
    done = see(desk, request)
    assert done.status is RequestStatus.COMPLETED
    assert done.file_id not in {None, appended[0]}
    assert unpacked(content(desk, done.file_id))[0]["jobs"]
    left = desk.admin.execute("select id from files where tenant_id = %s and purpose = 'export'", (desk.tenant.id,))
    assert [row["id"] for row in left] == [done.file_id]


def test_whoever_lost_the_claim_writes_and_ends_nothing(desk: Desk) -> None:
    request = ask(desk)
    stale = desk.hold(request)
    desk.let_go(request)
    desk.hold(request)
    export_work.export(desk.runtime, stale)
    assert see(desk, request).status is RequestStatus.IN_PROGRESS
    assert see(desk, request).file_id is None


def test_an_export_that_is_cut_off_again_and_again_fails(desk: Desk) -> None:
    request = ask(desk)
    desk.admin.execute("update data_requests set attempts = %s where id = %s", (export_work.MAX_ATTEMPTS, request))
    data.work_on(desk.runtime, desk.tenant.id, request)
    failed = see(desk, request)
    assert failed.status is RequestStatus.FAILED
    assert failed.error == "it was cut off 10 times"
    assert desk.run(data_requests.create(desk.tenant.id, new_id(), RequestKind.EXPORT, "user:me")) != []


def test_the_file_of_an_open_export_is_not_purged(desk: Desk) -> None:
    request = ask(desk)
    held = desk.hold(request)
    file = new_id()
    desk.run(exports.begin(held, file))
    desk.admin.execute("update files set expires_at = now() - interval '1 s' where id = %s", (file,))
    desk.runtime.database.run(Scope.system(), files.purge(limit=1000))
    assert desk.run(exports.append(held, file, 0, b"x", {})) == [0]


def test_a_page_holds_no_more_text_than_it_may(desk: Desk) -> None:
    for number in range(3):
        desk.run(jobs.submit(desk.tenant.id, [new_job(f"{number} {'long ' * 1000}", mode=CacheMode.OFF)]))
    (table,) = [one for one in desk.run(exports.tables()) if one.name == "jobs"]
    page = exports.page(desk.tenant.id, table, None, limit=10, max_bytes=5000)
    lines = desk.run(page)
    assert len(lines) == 1
    assert len(desk.run(exports.page(desk.tenant.id, table, lines[0].place, limit=10, max_bytes=10**6))) == 2
