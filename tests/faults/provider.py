"""A provider that speaks OpenAI's chat completions, writes down every call, and fails as it is told."""

import asyncio
import json
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from faults.local_server import Connection, Request, response, serving

SWIFT, STEADY = "swift", "steady"  # the first is cheaper; the other answers where it does not
MODELS = (SWIFT, STEADY)
ANSWER_SECONDS = 0.02

_PROMPT = re.compile(rb"#(\d+)\b")
_LOOK_SECONDS = 0.05
_TOO_MANY = b'{"error": {"message": "slow down", "type": "rate_limit_error", "code": "rate_limit_exceeded"}}'
_BROKEN = b'{"error": {"message": "it broke", "type": "server_error", "code": null}}'


class Behaviour(StrEnum):
    ANSWER = "answers"
    HANG = "hangs"  # until it behaves otherwise, then answers
    DRIP = "drips a byte a second"  # likewise
    RESET = "resets mid-body"
    TRUNCATE = "ends a chunked body too early"
    NOT_JSON = "answers with a page"
    WRONG_SHAPE = "answers with JSON of another shape"
    ERROR = "answers 500"
    TOO_MANY = "answers 429"
    TOO_MANY_AFTER = "answers 429 with Retry-After"
    CLOSE = "closes connections at once"


class Outcome(StrEnum):
    OPEN = "open"
    ANSWERED = "answered"
    REFUSED = "refused"  # anything but an answer, sent on purpose
    LEFT = "left"  # the caller hung up first


@dataclass(slots=True)
class Call:
    prompt: int
    model: str
    at: float  # Unix time
    behaviour: Behaviour
    outcome: Outcome = Outcome.OPEN


class Bucket:
    """What a provider grants: `capacity` calls at once, and `rate` more in a second."""

    def __init__(self, capacity: float, rate: float) -> None:
        self._capacity = capacity
        self._rate = rate
        self._level = capacity
        self._at = time.monotonic()

    def take(self) -> bool:
        now = time.monotonic()
        self._level = min(self._capacity, self._level + self._rate * (now - self._at))
        self._at = now
        if self._level < 1:
            return False
        self._level -= 1
        return True


class Provider:
    """Written to by its server's thread alone, but for how it behaves."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.bucket: Bucket | None = None
        self.held: frozenset[int] = frozenset()  # prompts for which it hangs, however it behaves to others
        self.spoiled: Counter[int] = Counter()  # how many answers to a prompt are to be errors
        self._behaviours: defaultdict[str, Behaviour] = defaultdict(lambda: Behaviour.ANSWER)

    def behave(self, behaviour: Behaviour, models: Iterable[str] = MODELS) -> None:
        self._behaviours.update(dict.fromkeys(models, behaviour))

    def of(self, prompts: Iterable[int]) -> list[Call]:
        wanted = set(prompts)
        return [call for call in self.calls if call.prompt in wanted]

    def open_calls(self) -> list[Call]:
        return [call for call in self.calls if call.outcome is Outcome.OPEN]

    def times_called(self) -> Counter[int]:
        return Counter(call.prompt for call in self.calls)

    def lets_in(self) -> bool:
        return Behaviour.CLOSE not in self._behaviours.values()

    def _behaviour(self, prompt: int, model: str) -> Behaviour:
        return Behaviour.HANG if prompt in self.held else self._behaviours[model]

    async def handle(self, request: Request, connection: Connection) -> None:
        model = str(json.loads(request.body)["model"])
        asked = _PROMPT.search(request.body)
        prompt = int(asked[1]) if asked else -1
        call = Call(prompt, model, time.time(), self._behaviour(prompt, model))
        self.calls.append(call)
        try:
            await self._reply(call, connection)
        except ConnectionError:
            call.outcome = Outcome.LEFT
            raise

    async def _reply(self, call: Call, connection: Connection) -> None:
        if self.bucket is not None and not self.bucket.take():
            call.behaviour = Behaviour.TOO_MANY
        match call.behaviour:
            case Behaviour.ANSWER:
                await self._answer(call, connection, ANSWER_SECONDS)
            case Behaviour.HANG:
                await self._hang(call, connection)
            case Behaviour.DRIP:
                await self._drip(call, connection)
            case Behaviour.RESET | Behaviour.TRUNCATE | Behaviour.CLOSE:
                call.outcome = Outcome.REFUSED
                await self._break_off(call.behaviour, connection)
            case _:
                call.outcome = Outcome.REFUSED
                await connection.send(_REFUSALS[call.behaviour])

    async def _answer(self, call: Call, connection: Connection, seconds: float) -> None:
        await asyncio.sleep(seconds)
        if self.spoiled[call.prompt] > 0:
            self.spoiled[call.prompt] -= 1
            call.outcome = Outcome.REFUSED
            await connection.send(_REFUSALS[Behaviour.ERROR])
            return
        await connection.send(response(200, _completion(call)))
        call.outcome = Outcome.ANSWERED

    async def _hang(self, call: Call, connection: Connection) -> None:
        while self._behaviour(call.prompt, call.model) is Behaviour.HANG:
            if await connection.hung_up(_LOOK_SECONDS):
                call.outcome = Outcome.LEFT
                raise ConnectionResetError
        await self._answer(call, connection, 0)

    async def _drip(self, call: Call, connection: Connection) -> None:
        whole = response(200, _completion(call))
        for sent in range(len(whole)):
            if self._behaviours[call.model] is not Behaviour.DRIP:
                await connection.send(whole[sent:])
                break
            await connection.send(whole[sent : sent + 1])
            if await connection.hung_up(1.0):
                call.outcome = Outcome.LEFT
                raise ConnectionResetError
        call.outcome = Outcome.ANSWERED

    async def _break_off(self, behaviour: Behaviour, connection: Connection) -> None:
        if behaviour is Behaviour.RESET:
            await connection.send(response(200, b" " * 500)[:-400])
        elif behaviour is Behaviour.TRUNCATE:
            await connection.send(b'HTTP/1.1 200 -\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{"choices\r\n')
        await asyncio.sleep(ANSWER_SECONDS)  # or what was sent is thrown away with the connection
        connection.reset()


_REFUSALS = {
    Behaviour.NOT_JSON: response(200, b"<html><title>Welcome</title>"),
    Behaviour.WRONG_SHAPE: response(200, b'{"choices": "none", "usage": []}'),
    Behaviour.ERROR: response(500, _BROKEN),
    Behaviour.TOO_MANY: response(429, _TOO_MANY),
    Behaviour.TOO_MANY_AFTER: response(429, _TOO_MANY, {"Retry-After": "1"}),
}


def answer_to(prompt: int) -> str:
    return f"The answer to #{prompt}."


def _completion(call: Call) -> bytes:
    body = {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": call.model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": answer_to(call.prompt)},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 20, "completion_tokens": 8, "total_tokens": 28},
    }
    return json.dumps(body).encode()


@contextmanager
def providing() -> Iterator[tuple[Provider, str]]:
    """A provider, and its address up to and including /v1."""
    provider = Provider()
    with serving(provider.handle, provider.lets_in) as url:
        yield provider, f"{url}/v1"
        provider.behave(Behaviour.ANSWER)
