"""Tells every API process, this one first, whose credentials it must forget."""

import structlog
from redis.exceptions import RedisError

from aico.api.services import Services
from aico.core import changes

log = structlog.get_logger()


async def tell(held: Services, message: str) -> None:
    """Comes after the change is stored. A process that cannot be told remembers nothing, or for a few seconds."""
    held.authenticator.hear(message)
    try:
        await held.broker.publish(changes.CHANNEL, message)
    except (RedisError, OSError) as error:
        log.warning("change_not_told", error=type(error).__name__)
