"""A Supabase project as the API sees it: an issuer of tokens that publishes the keys they are signed with."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID, uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

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

RSA_KEY_ID = "key-rsa"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
RSA_JWK: dict[str, Any] = {
    **RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True),
    "kid": RSA_KEY_ID,
    "alg": "RS256",
    "use": "sig",
}

Claims = dict[str, Any]


@dataclass
class Project:
    """A Supabase project's address, where its keys are published. Tests may rotate them, and count who asks."""

    url: str = ""
    keys: list[dict[str, Any]] = field(default_factory=lambda: [PUBLIC_JWK, RSA_JWK])
    answer: bytes | None = None  # in place of the keys
    fetches: int = 0

    def claims(self, user: UUID, **changes: Any) -> Claims:
        now = int(time.time())
        claims = {
            "iss": f"{self.url}/auth/v1",
            "sub": str(user),
            "aud": "authenticated",
            "role": "authenticated",
            "iat": now,
            "session_id": str(uuid4()),
            "is_anonymous": False,
            "exp": now + 3600,
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}


@contextmanager
def publishing() -> Iterator[Project]:
    """A project that publishes its keys, until the end of the block."""
    project = Project()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/auth/v1/.well-known/jwks.json"
            project.fetches += found
            body = json.dumps({"keys": project.keys}).encode() if project.answer is None else project.answer
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            """Stay quiet."""

    with ThreadingHTTPServer((LOOPBACK, 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        project.url = f"http://{LOOPBACK}:{httpd.server_port}"
        yield project
        httpd.shutdown()
        thread.join()


def es256(claims: Claims, key: ec.EllipticCurvePrivateKey = PRIVATE_KEY, kid: str | None = KEY_ID) -> str:
    return jwt.encode(claims, key, algorithm="ES256", headers={"kid": kid} if kid else None)


def rs256(claims: Claims, key: rsa.RSAPrivateKey = RSA_KEY, kid: str = RSA_KEY_ID) -> str:
    return jwt.encode(claims, key, algorithm="RS256", headers={"kid": kid})


def hs256(claims: Claims, secret: str = SECRET) -> str:
    return jwt.encode(claims, secret, algorithm="HS256")
