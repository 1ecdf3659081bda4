"""Tells the API's processes what they must forget."""

import redis

from aico.cli.show import err
from aico.core import changes
from aico.core.settings import get_settings


def tell(message: str) -> None:
    """Comes after the change is stored. Where Redis is away, a process that remembers does so for a few seconds."""
    settings = get_settings()
    try:
        with redis.Redis.from_url(settings.redis_url.get_secret_value(), socket_timeout=3) as broker:
            broker.publish(changes.CHANNEL, message)
    except redis.RedisError:
        seconds = settings.api_key_cache_seconds
        err.print(f"[yellow]The API could not be told; it knows within {seconds:g} s.[/yellow]", highlight=False)
