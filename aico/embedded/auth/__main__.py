"""The local stand-ins for Supabase Auth and Realtime: `python -m aico.embedded.auth --port P --state-dir DIR`."""

import argparse
import logging
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from pydantic import SecretStr

from aico.core.logs import configure_logging
from aico.core.settings import Settings, get_settings
from aico.embedded.auth.app import create_app
from aico.embedded.auth.files import Files
from aico.embedded.auth.services import Config
from aico.embedded.ports import LOOPBACK
from aico.embedded.realtime import server as realtime
from aico.embedded.realtime.limits import MAX_FRAME
from aico.embedded.realtime.transport import WebSockets
from aico.store.scope import REALTIME

_GRACE = 3  # seconds for open answers at the end


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m aico.embedded.auth")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state-dir", type=Path, required=True)
    options = parser.parse_args()
    settings = get_settings()
    configure_logging(settings.log_level)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # below that it logs each connection with its key
    url, files, origins = f"http://{LOOPBACK}:{options.port}", Files.under(options.state_dir), _origins(settings)
    config = Config(
        url=url,
        database_url=SecretStr(settings.database_url),
        redis_url=settings.redis_url,
        files=files,
        signup=settings.auth_signup,
        origins=origins,
    )
    place = settings.database_url.rpartition("@")[2]
    database_url = SecretStr(f"postgresql://{REALTIME}:{files.realtime_password.get_secret_value()}@{place}")
    beside = realtime.Config(url=url, database_url=database_url, files=files, origins=origins)
    uvicorn.run(
        create_app(config, realtime.Realtime(beside)),
        host=LOOPBACK,
        port=options.port,
        loop="uvloop",
        http="httptools",
        ws=WebSockets,
        ws_max_size=MAX_FRAME,
        ws_per_message_deflate=False,  # what is sent to many would be compressed for each
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
    )


def _origins(settings: Settings) -> tuple[str, ...]:
    """Pages that may speak to it: those that are allowed, and the service's own, by both names of this machine."""
    parts = urlsplit(settings.cost_optimizer_api_url)
    own = f"{parts.scheme}://{parts.netloc}"
    return tuple(dict.fromkeys((*settings.cors_origins, own, own.replace(LOOPBACK, "localhost"))))


if __name__ == "__main__":
    main()
