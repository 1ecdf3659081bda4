"""A channel that has lost its connection must raise what kombu's callers take for a lost connection."""

from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import pytest
from kombu.transport.redis import Channel
from redis.exceptions import ConnectionError as RedisConnectionError

from aico.workers import kombu_guard


@pytest.mark.parametrize("connection", [None, SimpleNamespace(client=None)])
def test_a_channel_without_its_connection_raises_a_connection_error(connection: Any) -> None:
    if version("kombu") not in kombu_guard.AFFECTED:
        pytest.fail("another kombu: see whether it still needs the guard, and name it or drop the guard")
    kombu_guard.install()
    channel: Any = Channel.__new__(Channel)
    channel.connection = connection
    with pytest.raises(RedisConnectionError):
        channel._connparams()


def test_the_guard_is_put_on_once() -> None:
    kombu_guard.install()
    channel: Any = Channel
    guarded = channel._connparams
    kombu_guard.install()
    assert channel._connparams is guarded
