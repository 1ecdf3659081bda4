"""Statements about checks of the cache's decisions, until they are pairs of answers."""

from aico.store.statement import Statement, named_sql

_SQL = named_sql("cache_checks")


def take_on(limit: int) -> Statement[int]:
    """Of all tenants: make pairs of up to `limit` checks whose jobs have ended, drop those that come to nothing.

    Returns how many were looked at.
    """
    return Statement(_SQL["take_on"], {"limit": limit}, lambda row: row["looked"])
