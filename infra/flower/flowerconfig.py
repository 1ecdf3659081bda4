# ruff: noqa: INP001 - Flower executes this file by path; it is no package
"""Settings of Flower, the console of the Celery workers. Flower takes every name below that is one of its options.

Flower leaves `/metrics` and `/healthcheck` open even with basic authentication on, so it listens on loopback unless it
is told otherwise and belongs behind a proxy.
"""

import os


def _credentials() -> list[str]:
    user, password = os.environ.get("FLOWER_USER", ""), os.environ.get("FLOWER_PASSWORD", "")
    if not user or not password:
        raise SystemExit("Flower can stop workers: set FLOWER_USER and FLOWER_PASSWORD before it is started.")
    if ":" in user or "," in user + password:
        raise SystemExit("FLOWER_USER takes no colon, and neither FLOWER_USER nor FLOWER_PASSWORD takes a comma.")
    return [f"{user}:{password}"]


basic_auth = _credentials()
address = os.environ.get("FLOWER_ADDRESS", "127.0.0.1")
url_prefix = os.environ.get("FLOWER_URL_PREFIX", "")

# Jobs live in Postgres and outlast Flower; it only needs to remember enough tasks to look at.
max_tasks = 10_000
persistent = False
purge_offline_workers = 3600  # seconds; each new container brings a new worker name
