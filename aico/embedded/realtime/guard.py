"""Closes channels whose time is over: an access token ends, a person leaves a tenant, a sign-in is signed out."""

import asyncio
import time
from typing import NoReturn

from aico.core.errors import Unavailable
from aico.core.logs import log
from aico.embedded.realtime.channels import Channel
from aico.embedded.realtime.dispatch import Dispatcher
from aico.embedded.realtime.session import Services

_EVERY_SECONDS = 1.0
_TABLES_SECONDS = 60.0  # after which it is asked anew what may be read of a table
_EXPIRED = "InvalidJWTToken: Token has expired"


async def watch(services: Services, dispatcher: Dispatcher) -> NoReturn:
    forgotten_at = time.monotonic()
    while True:
        await asyncio.sleep(_EVERY_SECONDS)
        now = time.monotonic()
        if now - forgotten_at >= _TABLES_SECONDS:
            dispatcher.forget_tables()
            forgotten_at = now
        due = []
        for channel in services.channels:
            expiry = channel.holder.expires_at
            if expiry is not None and expiry <= time.time():
                services.channels.close(channel, _EXPIRED)
            elif channel.holder.person and now - channel.checked_at >= services.channels.limits.recheck_seconds:
                due.append(channel)
        await _recheck(services, due)


async def _recheck(services: Services, due: list[Channel]) -> None:
    """While there is no database nobody is closed for it: nothing arrives then either."""
    for channel in due:
        try:
            refusal = await services.refusal(channel.holder, channel.join)
        except Unavailable:
            return
        except Exception:  # noqa: BLE001 # whatever it was, tokens go on to expire
            log.exception("realtime_recheck_failed")
            return
        channel.checked_at = time.monotonic()
        if refusal is not None and channel.joined:
            services.channels.close(channel, refusal)
