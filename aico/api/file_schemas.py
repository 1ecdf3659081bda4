"""Files as OpenAI's clients read them."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from aico.store.files import File
from aico.wire.ids import Prefix, public_id


class FileView(BaseModel):
    id: str
    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    expires_at: int
    filename: str
    purpose: str
    status: Literal["processed"] = "processed"

    @classmethod
    def of(cls, file: File) -> "FileView":
        return cls(
            id=public_id(Prefix.FILE, file.id),
            bytes=file.bytes,
            created_at=int(file.created_at.timestamp()),
            expires_at=int(file.expires_at.timestamp()),
            filename=file.filename,
            purpose=file.purpose.value,
        )


class FilePage(BaseModel):
    object: Literal["list"] = "list"
    data: list[FileView]
    first_id: str | None
    last_id: str | None
    has_more: bool

    @classmethod
    def of(cls, found: list[File], limit: int) -> "FilePage":
        """A page of at most `limit`, from one more than that where there is more."""
        views = [FileView.of(file) for file in found[:limit]]
        first, last = (views[0].id, views[-1].id) if views else (None, None)
        return cls(data=views, first_id=first, last_id=last, has_more=len(found) > limit)


class DeletedFile(BaseModel):
    id: str
    object: Literal["file"] = "file"
    deleted: Literal[True] = True

    @classmethod
    def of(cls, file: UUID) -> "DeletedFile":
        return cls(id=public_id(Prefix.FILE, file))


class ExpiresAfter(BaseModel):
    """When a file is deleted by itself."""

    anchor: Literal["created_at"]
    seconds: Annotated[int, Field(ge=3600, le=2_592_000)]
