"""Closes channels whose time is over: an access token ends, a person leaves a tenant, a sign-in is signed out."""

import asyncio
import time
from typing import NoReturn

from aico.core.errors import Unavailable
from aico.core.logs import log
from aico.embedded.realtime.channels import Channel, Channels
from aico.embedded.realtime.dispatch import Dispatcher
from aico.embedded.realtime.session import Services

_EVERY_SECONDS = 1.0
_TABLES_SECONDS = 60.0  # after which it is asked anew what may be read of a table
_EXPIRED = "InvalidJWTToken: Token has expired"


async def watch(services: Services, dispatcher: Dispatcher) -> None:
    """For ever. Tokens end in time, however long the database takes over what it is asked."""
    await asyncio.gather(_end_expired(services.channels), _look_again(services, dispatcher))


async def _end_expired(channels: Channels) -> NoReturn:
    while True:
        await asyncio.sleep(_EVERY_SECONDS)
        for channel in channels:
            expiry = channel.holder.expires_at
            if expiry is not None and expiry <= time.time():
                channels.close(channel, _EXPIRED)


async def _look_again(services: Services, dispatcher: Dispatcher) -> NoReturn:
    forgotten_at = time.monotonic()
    while True:
        await asyncio.sleep(_EVERY_SECONDS)
        now, patience = time.monotonic(), services.channels.limits.recheck_seconds
        if now - forgotten_at >= _TABLES_SECONDS:
            dispatcher.forget_tables()
            forgotten_at = now
        due = [one for one in services.channels if one.holder.person and now - one.checked_at >= patience]
        try:
            await _recheck(services, due)
        except Unavailable:
            continue  # nobody is closed for it: nothing arrives then either
        except Exception:  # noqa: BLE001 # whatever it was, it is asked again
            log.exception("realtime_recheck_failed")


async def _recheck(services: Services, due: list[Channel]) -> None:
    """Raises Unavailable."""
    for channel in due:
        holder = channel.holder
        refusal = await services.refusal(holder, channel.join)
        if not channel.joined or channel.holder is not holder:
            continue  # it has been left, or asked about with a newer token
        channel.checked_at = time.monotonic()
        if refusal is not None:
            services.channels.close(channel, refusal)
