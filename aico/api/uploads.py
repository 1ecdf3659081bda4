"""Takes a file in: from the request to a temporary file on the disk, and from there in chunks to Postgres."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import PurePosixPath

from fastapi import Request
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.requests import ClientDisconnect

from aico.api.auth import Principal
from aico.api.file_schemas import ExpiresAfter
from aico.api.keeping import at_most, file_seconds
from aico.api.services import Services
from aico.core.errors import InvalidInput, PayloadTooLarge, Unavailable
from aico.core.ids import new_id
from aico.store import files
from aico.store.files import CHUNK_BYTES, File, Purpose
from aico.store.scope import Scope
from aico.wire.errors import message_of

MULTIPART = "multipart/form-data"
_FIELDS = {"file", "purpose", "expires_after[anchor]", "expires_after[seconds]"}
_NAME_CHARACTERS = 255


@asynccontextmanager
async def form_of(request: Request) -> AsyncIterator[FormData]:
    """Raises InvalidInput for what is no whole form, and starlette's HTTPException for one that is malformed."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != MULTIPART:
        raise InvalidInput(f"declare the body as Content-Type: {MULTIPART}")
    try:
        async with request.form(max_files=1, max_fields=len(_FIELDS)) as form:
            yield form
    except ClientDisconnect as error:
        raise InvalidInput("the upload broke off") from error


async def store(form: FormData, held: Services, principal: Principal) -> File:
    """Nothing of a file is seen before all of it is stored. At most CHUNK_BYTES are held in memory."""
    upload = _checked(form, held.settings.max_file_bytes)
    given = _ttl(form)
    ttl = at_most(principal, await file_seconds(held, principal) if given is None else given)
    tenant, file, size = principal.tenant, new_id(), 0
    scope, run = Scope.tenant(tenant), held.database.run
    await run(scope, files.begin(tenant, file, filename_of(upload.filename or ""), Purpose.BATCH))
    try:
        while data := await upload.read(CHUNK_BYTES):
            await run(scope, files.append(tenant, file, size, data))
            size += len(data)
        stored = await run(scope, files.complete(tenant, file, size, ttl))
    except BaseException:
        await run(scope, files.discard(tenant, file))  # what this misses is deleted when it expires
        raise
    if not stored:
        raise Unavailable("the file was not stored in time; send it again")
    return stored[0]


def _checked(form: FormData, limit: int) -> UploadFile:
    """Raises InvalidInput for a form that is no upload."""
    for name in form:
        if name not in _FIELDS:
            raise InvalidInput(f"there is no field {name!r}; there are {', '.join(sorted(_FIELDS))}", param=name)
    purpose = form.get("purpose")
    if purpose is None:
        raise InvalidInput("`purpose` is missing; there is `batch`", param="purpose")
    if purpose != Purpose.BATCH:
        raise InvalidInput("only files of the purpose `batch` are taken here", param="purpose")
    upload = form.get("file")
    if not isinstance(upload, UploadFile):
        raise InvalidInput("`file` is missing, or was sent without a file's name", param="file")
    if upload.size is not None and upload.size > limit:
        raise PayloadTooLarge(f"the file is larger than {limit} bytes", param="file")
    return upload


def _ttl(form: FormData) -> int | None:
    """None: whoever uploads it does not say."""
    given = {name: form.get(f"expires_after[{name}]") for name in ("anchor", "seconds")}
    if set(given.values()) == {None}:
        return None
    try:
        return ExpiresAfter.model_validate({name: value for name, value in given.items() if value is not None}).seconds
    except ValidationError as error:
        fault = error.errors()[0]
        param = f"expires_after[{fault['loc'][0]}]"
        raise InvalidInput(f"{param}: {message_of(fault)}", param=param) from error


def filename_of(given: str) -> str:
    """The last part of a path, without what cannot be printed."""
    name = PurePosixPath(given.replace("\\", "/")).name
    return "".join(character for character in name if character.isprintable())[:_NAME_CHARACTERS] or "file"
