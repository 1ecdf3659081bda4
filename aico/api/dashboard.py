"""The dashboard's built pages, served as files: who may see what is settled by the routes that they ask."""

import base64
import gzip
import hashlib
import re
from collections.abc import Awaitable, Callable
from functools import cache
from http import HTTPStatus
from os import PathLike, stat_result
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from aico import __version__
from aico.core.settings import Settings

_INLINE_SCRIPT = re.compile(rb"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)
_FOREVER = "public, max-age=31536000, immutable"  # names there change with what is in them
_EACH_TIME = "no-cache"  # asked for again each time, and sent again where it has changed
_COMPRESSED = frozenset({".css", ".html", ".js", ".svg", ".txt"})


def routes(settings: Settings) -> list[BaseRoute]:
    """One for each thing at the top of the folder, so that no other route's refusals become a page's.

    None but the configuration's where nothing was built.
    """
    folder = settings.dashboard_dir
    config = Route("/config.json", _config(settings), include_in_schema=False)
    if not built(settings):
        return [config]
    content_policy = _content_policy(settings.supabase_url)
    whole = _Pages(folder, content_policy)
    tops = sorted(folder.iterdir())
    return [
        config,
        Mount("/_next/static", _Lasting(directory=folder / "_next" / "static")),
        *(Mount(f"/{top.name}", _Pages(top, content_policy)) for top in tops if top.is_dir() and top.name != "_next"),
        *(Route(f"/{top.name}", whole, methods=["GET"], include_in_schema=False) for top in tops if top.is_file()),
        Route("/", whole, methods=["GET"], include_in_schema=False),
    ]


def built(settings: Settings) -> bool:
    return (settings.dashboard_dir / "index.html").is_file()


def _config(settings: Settings) -> Callable[[Request], Awaitable[Response]]:
    """What the pages must know before anybody is signed in; none of it is secret."""
    key = settings.supabase_anon_key
    told = {
        "api_url": "",  # where the pages are
        "supabase_url": settings.supabase_url,
        "supabase_key": None if key is None else key.get_secret_value(),
        "version": __version__,
    }

    async def config(_: Request) -> Response:
        return JSONResponse(told, headers={"Cache-Control": _EACH_TIME})

    return config


class _Files(StaticFiles):
    """Files, compressed once: the loop that sends them is the one that takes jobs."""

    def file_response(
        self, full_path: str | PathLike[str], stat_result: stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        path = Path(full_path)
        if path.suffix not in _COMPRESSED:
            return response
        response.headers["Vary"] = "Accept-Encoding"
        if response.status_code == HTTPStatus.NOT_MODIFIED or "gzip" not in Headers(scope=scope).get(
            "Accept-Encoding", ""
        ):
            return response
        headers = {name: value for name, value in response.headers.items() if name != "content-length"}
        headers["Content-Encoding"] = "gzip"
        return Response(_gzipped(path, stat_result.st_mtime_ns), response.status_code, headers)


@cache
def _gzipped(path: Path, _changed_ns: int) -> bytes:
    return gzip.compress(path.read_bytes())


class _Lasting(_Files):
    def file_response(
        self, full_path: str | PathLike[str], stat_result: stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = _FOREVER
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


class _Pages(_Files):
    """Pages run the scripts that they were built with, and speak to this service and its Supabase project alone."""

    def __init__(self, folder: Path, content_policy: Callable[[str], str]) -> None:
        super().__init__(directory=folder, html=True)
        self._content_policy = content_policy

    def file_response(
        self, full_path: str | PathLike[str], stat_result: stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = _EACH_TIME
        response.headers["X-Content-Type-Options"] = "nosniff"
        if Path(full_path).suffix == ".html":
            response.headers["Content-Security-Policy"] = self._content_policy(str(full_path))
            response.headers["Referrer-Policy"] = "no-referrer"
        return response


def _content_policy(supabase_url: str | None) -> Callable[[str], str]:
    """Of a page by its path. Each file is read once: a build that replaces it needs a restart."""
    reached = " ".join(("'self'", *_addresses(supabase_url)))

    @cache
    def policy(path: str) -> str:
        digests = (hashlib.sha256(script).digest() for script in _INLINE_SCRIPT.findall(Path(path).read_bytes()))
        scripts = " ".join(sorted({f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests}))
        return (
            f"default-src 'none'; script-src 'self' {scripts}; connect-src {reached}; "
            "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
            "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        )

    return policy


def _addresses(url: str | None) -> tuple[str, ...]:
    """Of HTTP and of sockets. Where these differ from the page's own, a browser must be told both."""
    if url is None:
        return ()
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}", f"{parts.scheme.replace('http', 'ws', 1)}://{parts.netloc}"
