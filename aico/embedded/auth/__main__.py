"""The local stand-in for Supabase Auth: `python -m aico.embedded.auth --port P --state-dir DIR`."""

import argparse
from pathlib import Path

import uvicorn
from pydantic import SecretStr

from aico.core.logs import configure_logging
from aico.core.settings import get_settings
from aico.embedded.auth.app import create_app
from aico.embedded.auth.files import Files
from aico.embedded.auth.services import Config
from aico.embedded.ports import LOOPBACK

_GRACE = 3  # seconds for open answers at the end


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m aico.embedded.auth")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state-dir", type=Path, required=True)
    options = parser.parse_args()
    settings = get_settings()
    configure_logging(settings.log_level)
    config = Config(
        url=f"http://{LOOPBACK}:{options.port}",
        database_url=SecretStr(settings.database_url),
        redis_url=settings.redis_url,
        files=Files.under(options.state_dir),
        signup=settings.auth_signup,
        origins=settings.cors_origins,
    )
    uvicorn.run(
        create_app(config),
        host=LOOPBACK,
        port=options.port,
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
    )


if __name__ == "__main__":
    main()
