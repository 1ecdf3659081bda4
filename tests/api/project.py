"""A Supabase project as the API sees it: an issuer of tokens that publishes the keys they are signed with."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from aico.embedded.ports import LOOPBACK

SECRET = "a shared secret of the project, longer than 32 bytes"
KEY_ID = "key-1"
PRIVATE_KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC_JWK: dict[str, Any] = {
    **ECAlgorithm.to_jwk(PRIVATE_KEY.public_key(), as_dict=True),
    "kid": KEY_ID,
    "alg": "ES256",
    "use": "sig",
}

Claims = dict[str, Any]


@dataclass(frozen=True)
class Project:
    """A Supabase project's address, where its keys are published."""

    url: str

    def claims(self, user: UUID, **changes: Any) -> Claims:
        now = int(time.time())
        claims = {
            "iss": f"{self.url}/auth/v1",
            "sub": str(user),
            "aud": "authenticated",
            "role": "authenticated",
            "iat": now,
            "exp": now + 3600,
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}


@contextmanager
def publishing() -> Iterator[Project]:
    """A project that publishes its key, until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/auth/v1/.well-known/jwks.json"
            body = json.dumps({"keys": [PUBLIC_JWK]}).encode()
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            """Stay quiet."""

    with ThreadingHTTPServer((LOOPBACK, 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Project(f"http://{LOOPBACK}:{httpd.server_port}")
        httpd.shutdown()
        thread.join()


def es256(claims: Claims, key: ec.EllipticCurvePrivateKey = PRIVATE_KEY, kid: str | None = KEY_ID) -> str:
    return jwt.encode(claims, key, algorithm="ES256", headers={"kid": kid} if kid else None)


def hs256(claims: Claims, secret: str = SECRET) -> str:
    return jwt.encode(claims, secret, algorithm="HS256")
