"""Files: `POST` takes the requests of a batch, `GET …/content` gives its results."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import StreamingResponse

from aico.api import uploads
from aico.api.auth import Principal
from aico.api.file_schemas import DeletedFile, FilePage, FileView
from aico.api.problems import documented_errors
from aico.api.services import Held, Reader, Services, Writer
from aico.core.access import Permission
from aico.core.errors import Conflict, InvalidInput, NotFound
from aico.store import files
from aico.store.files import File, Purpose
from aico.store.scope import Scope
from aico.wire.ids import Prefix, row_id

PATH = "/v1/files"
ENVELOPE_BYTES = 64 * 1024  # of a multipart body, around the file

router = APIRouter(prefix=PATH, tags=["OpenAI"])

FileId = Annotated[str, Path(description="The file's id, `file-…`.")]
_MOST = 10_000
_ERRORS = documented_errors(400, 401, 403, 503)
_ONE_ERRORS = documented_errors(401, 403, 404, 503)
_UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            uploads.MULTIPART: {
                "schema": {
                    "type": "object",
                    "required": ["file", "purpose"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "purpose": {"type": "string", "enum": [Purpose.BATCH.value]},
                        "expires_after[anchor]": {"type": "string", "enum": ["created_at"]},
                        "expires_after[seconds]": {"type": "integer", "minimum": 3600, "maximum": 2_592_000},
                    },
                }
            }
        },
    }
}


@router.post("", responses={**_ERRORS, **documented_errors(413)}, openapi_extra=_UPLOAD)
async def upload_file(request: Request, held: Held, principal: Writer) -> FileView:
    """Store a file of requests, one JSON line each. It expires as asked, else when ended jobs are deleted."""
    async with uploads.form_of(request) as form:
        return FileView.of(await uploads.store(form, held, principal))


@router.get("", responses=_ERRORS)
async def list_files(
    held: Held,
    principal: Reader,
    purpose: str | None = None,
    limit: Annotated[int, Query(ge=1, le=_MOST)] = _MOST,
    order: Literal["asc", "desc"] = "desc",
    after: Annotated[str | None, Query(description="The `last_id` of the page before.")] = None,
) -> FilePage:
    """List files by their creation."""
    if purpose is not None and purpose not in set(Purpose):
        return FilePage.of([], limit)  # one of OpenAI's other purposes: there is none here
    since = None if after is None else row_id(Prefix.FILE, after)
    if after is not None and since is None:
        raise InvalidInput(f"{after!r} is no file's id", param="after")
    statement = files.page(
        principal.tenant,
        purpose=None if purpose is None else Purpose(purpose),
        after=since,
        order=order,
        limit=limit + 1,
    )
    return FilePage.of(await held.database.run(Scope.tenant(principal.tenant), statement), limit)


@router.get("/{file_id}", responses=_ONE_ERRORS)
async def get_file(file_id: FileId, held: Held, principal: Reader) -> FileView:
    """Read what a file is."""
    return FileView.of(await _find(held, principal, file_id))


@router.get("/{file_id}/content", response_class=StreamingResponse, responses=_ONE_ERRORS)
async def get_content(file_id: FileId, held: Held, principal: Reader) -> StreamingResponse:
    """Read what is in it."""
    file = await _find(held, principal, file_id)
    _open_to(principal, file)
    headers = {
        "Content-Length": str(file.bytes),
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.filename, safe='')}",
    }
    return StreamingResponse(_content(held, principal.tenant, file), 200, headers, "application/octet-stream")


@router.delete("/{file_id}", responses={**_ONE_ERRORS, **documented_errors(409)})
async def delete_file(file_id: FileId, held: Held, principal: Writer) -> DeletedFile:
    """Delete a file. One that a batch still needs is kept."""
    file = await _find(held, principal, file_id)
    _open_to(principal, file)
    deleted = await held.database.run(Scope.tenant(principal.tenant), files.delete(principal.tenant, file.id))
    if not deleted:
        raise Conflict(f"a batch that has not ended needs the file {file.filename!r}", param="file_id")
    return DeletedFile.of(deleted[0])


async def _content(held: Services, tenant: UUID, file: File) -> AsyncIterator[bytes]:
    """One chunk at a time. It ends early, and the connection with it, where the file is deleted meanwhile."""
    offset = 0
    while offset < file.bytes:
        found = await held.database.run(Scope.tenant(tenant), files.chunk(tenant, file.id, offset))
        if not found or not found[0]:
            return
        yield found[0]
        offset += len(found[0])


def _open_to(principal: Principal, file: File) -> None:
    """An export holds more than the prompts that others may read too. Raises Forbidden."""
    if file.purpose is Purpose.EXPORT:
        principal.require(Permission.DATA_WRITE)


async def _find(held: Services, principal: Principal, file_id: str) -> File:
    """Raises NotFound, for another tenant's file too."""
    file = row_id(Prefix.FILE, file_id)
    found = file and await held.database.run(Scope.tenant(principal.tenant), files.get(principal.tenant, file))
    if not found:
        raise NotFound(f"there is no file {file_id!r}", param="file_id")
    return found[0]
