"""What both runners' connections have in common."""

from typing import Any

from pgvector.psycopg import register_vector, register_vector_async
from psycopg import AsyncConnection, Connection


def connect_arguments(application: str) -> dict[str, Any]:
    return {"application_name": application, "connect_timeout": 5, "autocommit": True}


def configure(connection: Connection[Any]) -> None:
    register_vector(connection)


async def configure_async(connection: AsyncConnection[Any]) -> None:
    await register_vector_async(connection)
