"""A provider that costs next to nothing: answers OpenAI chat completions after the delay that the model's name says.

python -m bench.mock_provider PORT
"""

import asyncio
import json
import re
import sys
from typing import cast

import uvloop

from aico.embedded.ports import LOOPBACK
from bench.framing import response_bytes, take_message

_DELAY = re.compile(rb'"model": ?"mock-(\d+)ms"')
_ANSWER = {
    "id": "chatcmpl-mock",
    "object": "chat.completion",
    "model": "mock",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "The lantern stands beside the north window."},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 24, "completion_tokens": 9, "total_tokens": 33},
}
_RESPONSE = response_bytes(json.dumps(_ANSWER).encode())


def model_name(delay_ms: int) -> str:
    return f"mock-{delay_ms}ms"


def delay_seconds(body: bytes) -> float:
    """Raises ValueError for a request that names no model of this provider."""
    named = _DELAY.search(body)
    if named is None:
        raise ValueError(f"no model of the mock provider in {body[:200]!r}")
    return int(named[1]) / 1000


class MockProvider(asyncio.Protocol):
    def __init__(self) -> None:
        self._buffer = bytearray()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is one in all but its class

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (message := take_message(self._buffer)) is not None:
            delay = delay_seconds(message[1])
            if delay:
                asyncio.get_running_loop().call_later(delay, self._transport.write, _RESPONSE)
            else:
                self._transport.write(_RESPONSE)


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(MockProvider, LOOPBACK, port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
