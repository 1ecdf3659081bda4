"""A page of a list that is read on from a cursor."""

from collections.abc import Callable, Sequence
from typing import Annotated, Generic, Self, TypeVar
from uuid import UUID

from pydantic import BaseModel, Field

T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    data: list[T]
    has_more: bool
    next: Annotated[UUID | None, Field(description="Give as `after` to read on.")] = None

    @classmethod
    def of(cls, views: Sequence[T], limit: int, cursor: Callable[[T], UUID]) -> Self:
        """`views` has one more than the page where there is more."""
        more = len(views) > limit
        return cls(data=list(views[:limit]), has_more=more, next=cursor(views[limit - 1]) if more else None)
