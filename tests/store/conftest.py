from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from conftest import Postgres
from psycopg.rows import dict_row


@pytest.fixture
def admin(postgres: Postgres) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """The superuser's, who sees every tenant's rows."""
    with psycopg.connect(postgres.admin_url, row_factory=dict_row, autocommit=True) as connection:
        yield connection
