"""What both runners' connections have in common."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import psycopg
from pgvector.psycopg import register_vector, register_vector_async
from psycopg import AsyncConnection, Connection
from psycopg.types.json import set_json_dumps

TRIES = 3  # of a transaction that Postgres gives up so that another can go on

# Its escape, but not a backslash that is written out and followed by the same letters.
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def connect_arguments(application: str) -> dict[str, Any]:
    return {"application_name": application, "connect_timeout": 5, "autocommit": True}


def storable_json(value: Any) -> str:
    """JSON without NUL characters, which Postgres does not store: an answer that holds one is paid for all the same."""
    text = json.dumps(value)
    return _NUL.sub(r"\1\\ufffd", text) if "\\u0000" in text else text


def configure(connection: Connection[Any]) -> None:
    set_json_dumps(storable_json, connection)
    register_vector(connection)


async def configure_async(connection: AsyncConnection[Any]) -> None:
    set_json_dumps(storable_json, connection)
    await register_vector_async(connection)


@contextmanager
def closed_on_error(connection: Connection[Any]) -> Iterator[None]:
    """The pool opens another in its place.

    A pipeline that broke off leaves the driver believing in prepared statements that the server never saw.
    """
    try:
        yield
    except psycopg.Error:
        connection.close()
        raise


@asynccontextmanager
async def closed_on_error_async(connection: AsyncConnection[Any]) -> AsyncIterator[None]:
    """See `closed_on_error`."""
    try:
        yield
    except psycopg.Error:
        await connection.close()
        raise
