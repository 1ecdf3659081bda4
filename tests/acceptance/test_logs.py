"""Whatever goes right or wrong: no log of any process repeats what was asked or answered."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from signal import SIGKILL
from typing import Any
from urllib.parse import urlsplit

import httpx2
import psycopg
import pytest
from dotenv import dotenv_values
from faults.world import wait_until
from workers.provider_server import Server, serving

from acceptance.conftest import Running, stack
from aico.embedded.postgres import PostgresServer

MARK = "heliotrope-4714"
ENVIRONMENT = {
    "OPENAI_COMPATIBLE_MODELS": "parrot",
    "JOB_MAX_RETRIES": "0",
    "LEASE_SECONDS": "2",
    "DATABASE_URL": "",
    "REDIS_URL": "",
}


@contextmanager
def owner(running: Running) -> Iterator[psycopg.Connection[Any]]:
    address = dotenv_values(running.state_dir / "stack.env")["DATABASE_URL"] or ""
    server = PostgresServer(running.state_dir, urlsplit(address).port or 0)
    with psycopg.connect(server.superuser_url.get_secret_value(), autocommit=True) as connection:
        yield connection


def ask(api: httpx2.Client, prompt: str, **more: Any) -> dict[str, Any]:
    body = {"prompt": prompt, "model": "parrot", "cache": "off", "fallback": False, **more}
    answered: dict[str, Any] = api.post("/v1/chat", json=body).json()
    return answered


def misuse(api: httpx2.Client) -> None:
    """Requests that are refused, each with the mark where the fault is."""
    for path, body in (
        ("/v1/jobs", {"prompt": MARK, "model": MARK}),
        ("/v1/jobs", {"prompt": MARK, "class": MARK}),
        ("/v1/jobs", {"prompt": f"{MARK}\x00"}),
        ("/v1/chat/completions", {"model": "auto", "messages": [{"role": MARK, "content": MARK}]}),
        ("/v1/responses", {"model": "auto", "input": MARK, "previous_response_id": MARK}),
        ("/v1/embeddings", {"model": MARK, "input": MARK}),
        ("/v1/feedback", {"job_id": MARK, "score": 1}),
    ):
        assert api.post(path, json=body).is_client_error, path
    assert api.post("/v1/jobs", content=f'{{"prompt": "{MARK}'.encode()).is_client_error
    assert api.get(f"/v1/jobs/{MARK}").is_client_error
    assert api.get("/v1/jobs", headers={"Authorization": f"Bearer {MARK}"}).is_client_error


def spoil(running: Running, api: httpx2.Client) -> None:
    """A task that dies of what it reads: a stored request that cannot be one."""
    held = api.post("/v1/jobs", json={"prompt": MARK, "cache": "off", "completion_window": "1h", "class": "batch"})
    with owner(running) as connection:
        request = json.dumps({"messages": MARK})
        connection.execute(
            "insert into jobs (id, tenant_id, status, stage, class, cache_mode, request, namespace, fingerprint,"
            " deadline, bell_at) select gen_random_uuid(), tenant_id, 'queued', 'route', 'interactive', 'off', %s,"
            " namespace, fingerprint, now() + interval '1 hour', now() - interval '1 hour' from jobs where id = %s",
            (request, held.json()["id"]),
        )


def batch(api: httpx2.Client) -> None:
    lines = [
        {"custom_id": f"{n}", "method": "POST", "url": "/v1/chat/completions", "body": body}
        for n, body in enumerate([{"model": "auto", "messages": MARK}, {"model": MARK, "messages": []}])
    ]
    content = "\n".join([*map(json.dumps, lines), f'{{"{MARK}'])
    upload = {"file": (f"{MARK}.jsonl", content.encode())}
    file = api.post("/v1/files", data={"purpose": "batch"}, files=upload).json()["id"]
    asked = {"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    made = api.post("/v1/batches", json=asked).json()["id"]
    wait_until(lambda: api.get(f"/v1/batches/{made}").json()["status"] == "failed", "the batch")


def cut_off(running: Running, api: httpx2.Client, provider: Server) -> None:
    """The route worker is killed during a call; another one ends the job."""
    provider.gate.clear()
    before = provider.asked
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask, api, f"cut off {MARK}")
        wait_until(lambda: provider.asked > before, "the call")
        os.kill(running.part("route").pid, SIGKILL)
        provider.gate.set()
        assert asking.result(60)["status"] == "completed"


def break_postgres(running: Running) -> None:
    with owner(running) as connection:
        for statement, values in (
            ("insert into tenants (id, name) select id, %s from tenants", (MARK,)),
            ("select %s::json", (f'{{"a": {MARK}',)),
        ):
            try:
                connection.execute(statement.encode(), values)
            except psycopg.Error:
                continue


@pytest.mark.timeout(300)
def test_no_log_repeats_what_was_asked_or_answered(tmp_path: Path) -> None:
    with serving() as provider:
        said = (f"it is {MARK}", "stop")
        environment = {**ENVIRONMENT, "OPENAI_COMPATIBLE_URL": provider.url}
        with stack(tmp_path / "stack", "--no-flower", "--no-local-model", environment=environment) as running:
            headers = {"Authorization": f"Bearer {running.key}"}
            with httpx2.Client(base_url=running.url, headers=headers, timeout=70) as api:
                provider.replies = [(200, *said)]
                assert ask(api, f"who is {MARK}?")["answer"]["text"] == said[0]
                assert ask(api, f"say {MARK}", stream=True)["status"] == "completed"
                misuse(api)
                batch(api)
                for status in (400, 500, 429):
                    provider.asked, provider.replies = 0, [(status, f"cannot say {MARK}", "")]
                    assert ask(api, f"fail on {MARK}")["status"] == "failed"
                provider.replies = [(200, *said)]
                cut_off(running, api, provider)
                spoil(running, api)
                break_postgres(running)
                logs = running.state_dir / "logs"
                wait_until(lambda: "Task aico.route" in (logs / "route.log").read_text(), "the task's death")
        written = {file.name: file.read_text(errors="replace") for file in logs.iterdir() if file.is_file()}
        written["up.log"] = (running.state_dir / "up.log").read_text(errors="replace")
    assert {
        "api.log",
        "route.log",
        "record.log",
        "batch.log",
        "sweep.log",
        "postgres.log",
        "valkey.log",
    } <= written.keys()
    assert "ERROR:  " in written["postgres.log"]
    assert "ValidationError" in written["route.log"]
    assert [name for name, text in written.items() if MARK in text] == []
