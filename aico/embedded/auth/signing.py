"""The keys that access tokens are signed with: one that signs, one that will be next, and those retired not long ago.

The next key is published before it signs, so that whoever has fetched the keys knows it already. A retired key is
published until the last token that it signed has expired. All are in one file, which is replaced in one step.
"""

import base64
import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from aico.core.errors import NotFound
from aico.embedded.secret_file import write_private

TOKEN_SECONDS = 3600
AUDIENCE = "authenticated"
_ALGORITHM = "ES256"
_MARGIN_SECONDS = 60  # for clocks that differ

Jwk = dict[str, Any]
Claims = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Key:
    private: ec.EllipticCurvePrivateKey
    id: str  # its thumbprint
    jwk: Jwk  # what is published

    @classmethod
    def of(cls, private: ec.EllipticCurvePrivateKey) -> Self:
        public = ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
        kid = thumbprint(public)
        shown = {"kid": kid, "alg": _ALGORITHM, "use": "sig", "key_ops": ["verify"]}
        return cls(private, kid, {**public, **shown})

    @classmethod
    def make(cls) -> Self:
        return cls.of(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def read(cls, pem: str) -> Self:
        private = serialization.load_pem_private_key(pem.encode(), None)
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise TypeError("a signing key is an elliptic curve's")
        return cls.of(private)

    @property
    def pem(self) -> str:
        return self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()


@dataclass(frozen=True, slots=True)
class Keyring:
    signing: Key
    standby: Key
    retired: tuple[tuple[Jwk, float], ...] = ()  # public keys, and the Unix times until which they are published

    @classmethod
    def make(cls) -> Self:
        return cls(Key.make(), Key.make())

    @classmethod
    def read(cls, text: str) -> Self:
        kept = json.loads(text)
        retired = tuple((one["jwk"], one["until"]) for one in kept["retired"])
        return cls(Key.read(kept["signing"]), Key.read(kept["standby"]), retired)

    def written(self) -> str:
        retired = [{"jwk": jwk, "until": until} for jwk, until in self.retired]
        return json.dumps({"signing": self.signing.pem, "standby": self.standby.pem, "retired": retired})

    def published(self, now: float) -> list[Jwk]:
        return [self.signing.jwk, self.standby.jwk, *(jwk for jwk, until in self.retired if until > now)]

    def rotated(self, now: float) -> Self:
        """The standby signs, and a new one stands by."""
        left = tuple((jwk, until) for jwk, until in self.retired if until > now)
        old = (self.signing.jwk, now + TOKEN_SECONDS + _MARGIN_SECONDS)
        return type(self)(self.standby, Key.make(), (old, *left))


class SigningKeys:
    """Signs and verifies by the file's keys, and sees when another process rotates them."""

    def __init__(self, file: Path, issuer: str) -> None:
        self._file = file
        self._issuer = issuer
        self._seen: tuple[int, int] | None = None
        self._ring = self._current()

    def sign(self, claims: Claims) -> str:
        key = self._current().signing
        return jwt.encode({"iss": self._issuer, **claims}, key.private, _ALGORITHM, headers={"kid": key.id})

    def verify(self, token: str) -> Claims:
        """Raises jwt.PyJWTError for whatever is no unexpired token of ours."""
        kid = jwt.get_unverified_header(token).get("kid")
        known = next((jwk for jwk in self.published() if jwk["kid"] == kid), None)
        if known is None:
            raise jwt.InvalidKeyError("no such key")
        required = {"require": ["exp", "sub", "session_id"]}
        claims: Claims = jwt.decode(
            token,
            jwt.PyJWK(known),
            algorithms=[_ALGORITHM],
            audience=AUDIENCE,
            issuer=self._issuer,
            options=required,  # type: ignore[arg-type] # PyJWT's own type leaves out what is optional
        )
        return claims

    def published(self) -> list[Jwk]:
        return self._current().published(time.time())

    def _current(self) -> Keyring:
        status = self._file.stat()
        version = (status.st_ino, status.st_mtime_ns)  # each rotation is a new file
        if version != self._seen:
            self._ring, self._seen = Keyring.read(self._file.read_text()), version
        return self._ring


def ensure_keys(file: Path) -> None:
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        write_private(file, Keyring.make().written())


def rotate_keys(file: Path, now: float) -> None:
    """Raises NotFound where there are no keys."""
    if not file.exists():
        raise NotFound(f"there are no signing keys in {file}; `aico up` makes them")
    write_private(file, Keyring.read(file.read_text()).rotated(now).written())


def thumbprint(jwk: Jwk) -> str:
    """RFC 7638: base64url of the SHA-256 of the members that make the key, in order and without spaces."""
    members = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    digest = hashlib.sha256(json.dumps(members, sort_keys=True, separators=(",", ":")).encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
