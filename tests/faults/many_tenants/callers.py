"""Tenants that ask for their own things and for the same things as all others, by every door, at the same time."""

import asyncio
import json
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2
from conftest import Tenant
from faults.echo import MODEL, REFUSED

CACHES = ("exact", "semantic", "off")
CLASSES = ("interactive", "standard", "batch")
_CONNECTIONS = 48
_PATIENCE_SECONDS = 120
_POLL_SECONDS = 0.3


@dataclass(frozen=True)
class Size:
    """What each tenant sends of each kind: half of it its own, half the same as everybody's."""

    chats: int
    streams: int
    jobs: int
    followed: int  # jobs whose events are read
    responses: int
    refused: int
    lines: int  # of a batch


@dataclass(frozen=True)
class Said:
    """A response: all that was said in it, its head included."""

    where: str
    text: str
    request_id: str


@dataclass
class Caller:
    tenant: Tenant
    secret: str = ""
    said: list[Said] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)  # as they were read, by whatever door
    sent: int = 0  # prompts
    refused: int = 0
    batch: dict[str, Any] = field(default_factory=dict)

    @property
    def mark(self) -> str:
        return self.tenant.id.hex

    def prompt(self, kind: str, number: int) -> str:
        """Own and common ones in turn. The common ones are few, so that caches have something to find."""
        whose = self.mark if number % 2 else "everybody"
        return f"{kind} question {number // 2 % 3} of {whose}"


class Load:
    """One HTTP client for all, as behind a proxy; each request carries its caller's key."""

    def __init__(self, url: str, callers: Sequence[Caller], size: Size) -> None:
        self._url = url
        self._callers = callers
        self._size = size
        self._places = asyncio.Semaphore(_CONNECTIONS)
        self._http: httpx2.AsyncClient

    async def run(self, hook_url: str) -> None:
        limits = httpx2.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS)
        async with httpx2.AsyncClient(base_url=self._url, timeout=_PATIENCE_SECONDS, limits=limits) as self._http:
            await asyncio.gather(*(self._register(caller, hook_url) for caller in self._callers))
            every = [list(self._work(caller)) for caller in self._callers]
            mixed = [one for together in zip(*every, strict=True) for one in together]  # a tenant after the other
            await asyncio.gather(*mixed)
            again = [
                self._chat(caller, number, again=True) for number in range(self._size.chats) for caller in self._callers
            ]
            await asyncio.gather(*again)  # what caches hold by now
            await asyncio.gather(*(self._read_all(caller) for caller in self._callers))

    def _work(self, caller: Caller) -> Iterator[Awaitable[None]]:
        size = self._size
        yield self._batch(caller)
        yield from (self._chat(caller, number) for number in range(size.chats))
        yield from (self._stream(caller, number) for number in range(size.streams))
        yield from (self._job(caller, number, followed=False) for number in range(size.jobs))
        yield from (self._job(caller, number, followed=True) for number in range(size.followed))
        yield from (self._response(caller, number) for number in range(size.responses))
        yield from (self._refused(caller, number) for number in range(size.refused))

    async def _register(self, caller: Caller, hook_url: str) -> None:
        made = await self._call(caller, "POST", "/v1/webhooks", json={"url": f"{hook_url}/{caller.mark}"})
        caller.secret = made["secret"]

    async def _chat(self, caller: Caller, number: int, *, again: bool = False) -> None:
        """Again, it is asked in other words where the cache goes by meaning."""
        cache = CACHES[number // 2 % 3]
        prompt = caller.prompt("chat", number) + ("?" if again and cache == "semantic" else "")
        sent = {"json": _completion(prompt, cache), "key": f"chat-{again}-{number}"}
        answer = await self._call(caller, "POST", "/v1/chat/completions", **sent)
        caller.sent += 1
        caller.answers.append(answer["choices"][0]["message"]["content"])

    async def _stream(self, caller: Caller, number: int) -> None:
        body = {**_completion(caller.prompt("stream", number), CACHES[number // 2 % 3]), "stream": True}
        text = await self._text(caller, "POST", "/v1/chat/completions", json=body)
        caller.sent += 1
        chunks = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
        pieces = [choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"]]
        caller.answers.append("".join(pieces))

    async def _job(self, caller: Caller, number: int, *, followed: bool) -> None:
        body = {
            "prompt": caller.prompt("followed" if followed else "job", number),
            "model": MODEL,
            "class": CLASSES[number % 3],
            "cache": CACHES[number // 2 % 3],
            "fallback": False,
            "stream": followed,
            "metadata": {"of": caller.mark},
        }
        job = await self._call(caller, "POST", "/v1/jobs", json=body, key=f"job-{followed}-{number}")
        caller.sent += 1
        if followed:
            await self._text(caller, "GET", f"/v1/jobs/{job['id']}/events")
        while job["status"] in {"queued", "in_progress"}:
            job = await self._call(caller, "GET", f"/v1/jobs/{job['id']}", params={"wait": 30})
        caller.answers.append(job["answer"]["text"])

    async def _response(self, caller: Caller, number: int) -> None:
        """One that goes on from another."""
        before: dict[str, Any] = {}
        for turn in range(2):
            body = {"model": MODEL, "input": caller.prompt(f"turn {turn}", number), **before}
            answer = await self._call(caller, "POST", "/v1/responses", json=body)
            caller.sent += 1
            caller.answers.append(answer["output"][0]["content"][0]["text"])
            before = {"previous_response_id": answer["id"]}

    async def _refused(self, caller: Caller, number: int) -> None:
        body = {"prompt": f"{REFUSED} {number} of {caller.mark}", "model": MODEL, "fallback": False, "max_retries": 0}
        job = await self._call(caller, "POST", "/v1/jobs", json=body)
        caller.sent += 1
        caller.refused += 1
        while job["status"] in {"queued", "in_progress"}:
            job = await self._call(caller, "GET", f"/v1/jobs/{job['id']}", params={"wait": 30})
        assert job["status"] == "failed", job

    async def _batch(self, caller: Caller) -> None:
        lines = [
            {
                "custom_id": f"{number} of {caller.mark}",
                "method": "POST",
                "url": "/v1/chat/completions",
                "body": _completion(caller.prompt("line", number), CACHES[number // 2 % 3]),
            }
            for number in range(self._size.lines)
        ]
        content = "\n".join(map(json.dumps, lines)).encode()
        sent = {"files": {"file": ("lines.jsonl", content)}, "data": {"purpose": "batch"}}
        file = await self._call(caller, "POST", "/v1/files", **sent)
        asked = {"input_file_id": file["id"], "endpoint": "/v1/chat/completions", "completion_window": "24h"}
        batch = await self._call(caller, "POST", "/v1/batches", json=asked)
        caller.sent += len(lines)
        while batch["status"] in {"validating", "in_progress", "finalizing"}:
            await asyncio.sleep(_POLL_SECONDS)
            batch = await self._call(caller, "GET", f"/v1/batches/{batch['id']}")
        assert batch["status"] == "completed", batch
        caller.batch = batch
        results = await self._text(caller, "GET", f"/v1/files/{batch['output_file_id']}/content")
        bodies = [json.loads(line)["response"]["body"] for line in results.splitlines()]
        caller.answers += [body["choices"][0]["message"]["content"] for body in bodies]

    async def _read_all(self, caller: Caller) -> None:
        """Everything that can be listed."""
        for path in ("/v1/jobs", "/v1/dead-letters", "/v1/files", "/v1/batches"):
            after: dict[str, str] = {}
            while True:
                page = await self._call(caller, "GET", path, params={"limit": 100, **after})
                if not page["has_more"]:
                    break
                after = {"after": page.get("next") or page["last_id"]}
        for path in ("/v1/webhooks", "/costs/summary"):
            await self._call(caller, "GET", path)

    async def _call(self, caller: Caller, method: str, path: str, **sent: Any) -> Any:
        return json.loads(await self._text(caller, method, path, **sent))

    async def _text(self, caller: Caller, method: str, path: str, *, key: str | None = None, **sent: Any) -> str:
        """The body of a response, written down with its head. Idempotency keys are the same for all tenants."""
        headers = {"Authorization": f"Bearer {caller.tenant.key}", **({"Idempotency-Key": key} if key else {})}
        async with self._places:
            response = await self._http.request(method, path, headers=headers, **sent)
        head = "\n".join(f"{name}: {value}" for name, value in response.headers.items())
        caller.said.append(Said(f"{method} {path}", f"{head}\n\n{response.text}", response.headers["x-request-id"]))
        response.raise_for_status()
        return response.text


def _completion(prompt: str, cache: str) -> dict[str, Any]:
    messages = [{"role": "user", "content": prompt}]
    return {"model": MODEL, "messages": messages, "aico": {"cache": cache, "fallback": False}}
