"""Supabase Auth as its administrators see it, here or hosted: over HTTP, with the secret key."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Self

import httpx2

from aico.core.errors import AicoError, Conflict, Forbidden, InvalidInput, NotFound, Unauthorized, Unavailable
from aico.core.settings import Settings

Json = dict[str, Any]

_PATIENCE_SECONDS = 30
_PAGE = 200
_ERRORS: Mapping[int, type[AicoError]] = {
    HTTPStatus.UNAUTHORIZED: Unauthorized,
    HTTPStatus.FORBIDDEN: Forbidden,
    HTTPStatus.NOT_FOUND: NotFound,
}
_TAKEN = "email_exists"


class AuthAdmin:
    def __init__(self, url: str, secret_key: str) -> None:
        headers = {"apikey": secret_key, "Authorization": f"Bearer {secret_key}"}
        self._url = url.rstrip("/")
        self._http = httpx2.Client(base_url=f"{self._url}/auth/v1", headers=headers, timeout=_PATIENCE_SECONDS)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Raises InvalidInput where the settings name no server."""
        if settings.supabase_url is None or settings.supabase_service_key is None:
            raise InvalidInput(
                "no Auth server: start `aico up` in this folder, or set SUPABASE_URL and SUPABASE_SERVICE_KEY"
            )
        return cls(settings.supabase_url, settings.supabase_service_key.get_secret_value())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def create(self, email: str, password: str) -> Json:
        """Somebody who can sign in at once. Raises Conflict where the email is taken."""
        return self._ask("POST", "/admin/users", {"email": email, "password": password, "email_confirm": True})

    def users(self) -> Iterator[Json]:
        page = 1
        while True:
            found = self._ask("GET", "/admin/users", params={"page": page, "per_page": _PAGE})["users"]
            yield from found
            if len(found) < _PAGE:
                return
            page += 1

    def find(self, email: str) -> Json:
        """Raises NotFound."""
        wanted = email.strip().lower()
        found = next((user for user in self.users() if user.get("email", "").lower() == wanted), None)
        if found is None:
            raise NotFound(f"nobody here has the email {email!r}")
        return found

    def change(self, user: str, **attributes: str | Json) -> Json:
        return self._ask("PUT", f"/admin/users/{user}", attributes)

    def remove(self, user: str) -> None:
        self._ask("DELETE", f"/admin/users/{user}")

    def _ask(self, method: str, path: str, body: Json | None = None, params: Mapping[str, int] | None = None) -> Json:
        try:
            reply = self._http.request(method, path, json=body, params=params)
        except httpx2.TransportError as error:
            raise Unavailable(f"no Auth server answers at {self._url}; is `aico up` running?") from error
        if reply.is_success:
            answer: Json = reply.json()
            return answer
        raise _error(reply)


def _error(reply: httpx2.Response) -> AicoError:
    try:
        body = reply.json()
    except ValueError:
        body = None
    said = body if isinstance(body, dict) else {}
    message = str(said.get("msg") or said.get("message") or f"the Auth server answered {reply.status_code}")
    if said.get("error_code") == _TAKEN:
        return Conflict(message)
    if reply.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR or reply.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        return Unavailable(message)
    return _ERRORS.get(reply.status_code, InvalidInput)(message)
