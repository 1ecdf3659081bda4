"""Keeps a worker alive when Redis dies under it.

In kombu 5.7.0 an acknowledgement that arrives on a channel whose connection is gone raises AttributeError from
`Channel._connparams`. That is no connection error, so the worker takes it for a bug of its own and exits. Raising the
connection error that is meant lets the code that already handles one reconnect.
"""

from importlib.metadata import version
from typing import Any

from kombu.transport.redis import Channel
from redis.exceptions import ConnectionError as RedisConnectionError

AFFECTED = ("5.7.0",)


def install() -> None:
    if version("kombu") not in AFFECTED or getattr(Channel, "_aico_guarded", False):
        return
    channel: Any = Channel
    original = channel._connparams  # noqa: SLF001 - the fault is in this private method

    def guarded(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self.connection is None or self.connection.client is None:
            raise RedisConnectionError("the channel has lost its connection")
        return original(self, *args, **kwargs)

    channel._connparams = guarded  # noqa: SLF001
    channel._aico_guarded = True  # noqa: SLF001
