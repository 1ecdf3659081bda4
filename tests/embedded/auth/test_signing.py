"""The keys of access tokens: two are published, and the standby takes over without anybody being signed out."""

import base64
import hashlib
import json
import stat
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from embedded.auth.conftest import Project, ServeAuth

from aico.core.errors import NotFound
from aico.embedded.auth.files import Files
from aico.embedded.auth.signing import (
    TOKEN_SECONDS,
    Key,
    Keyring,
    SigningKeys,
    ensure_keys,
    rotate_keys,
    thumbprint,
)

ISSUER = "http://127.0.0.1:1/auth/v1"
EXAMPLE = {  # RFC 7517, appendix A.1
    "kty": "EC",
    "crv": "P-256",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    "use": "enc",
    "kid": "1",
}


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    return {"sub": "a", "aud": "authenticated", "exp": now + 60, "session_id": "b", **changes}


def published(project: Project) -> list[dict[str, Any]]:
    with project.http() as http:
        keys: list[dict[str, Any]] = http.get("/.well-known/jwks.json").raise_for_status().json()["keys"]
    return keys


def test_a_key_is_named_by_its_thumbprint() -> None:
    text = f'{{"crv":"P-256","kty":"EC","x":"{EXAMPLE["x"]}","y":"{EXAMPLE["y"]}"}}'
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
    assert thumbprint(EXAMPLE) == digest == "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s"


def test_two_public_keys_are_published_to_everybody(project: Project) -> None:
    with project.http() as http:
        http.headers.pop("apikey")
        reply = http.get("/.well-known/jwks.json")
    assert reply.headers["Cache-Control"] == "public, max-age=600"
    keys = reply.json()["keys"]
    assert len(keys) == 2
    for key in keys:
        assert key.keys() == {"kty", "crv", "x", "y", "kid", "alg", "use", "key_ops"}  # and no private part
        assert (key["kty"], key["crv"], key["alg"], key["kid"]) == ("EC", "P-256", "ES256", thumbprint(key))


def test_the_keys_are_private_and_stay(own_files: Files) -> None:
    before = own_files.signing_keys.read_text()
    ensure_keys(own_files.signing_keys)
    assert own_files.signing_keys.read_text() == before
    assert stat.S_IMODE(own_files.signing_keys.stat().st_mode) == 0o600


def test_after_a_rotation_the_standby_signs_and_old_tokens_still_open(serve_auth: ServeAuth, own_files: Files) -> None:
    with serve_auth(files=own_files) as project:
        email = project.new_user()["email"]
        first, standby = published(project)
        old = project.sign_in(email).json()["access_token"]
        assert jwt.get_unverified_header(old)["kid"] == first["kid"]
        rotate_keys(own_files.signing_keys, time.time())
        new = project.sign_in(email).json()["access_token"]
        assert jwt.get_unverified_header(new)["kid"] == standby["kid"]
        assert published(project)[0]["kid"] == standby["kid"]
        assert {first["kid"], standby["kid"]} < {key["kid"] for key in published(project)}
        for token in (old, new):
            with project.http(Authorization=f"Bearer {token}") as http:
                assert http.get("/user").json()["email"] == email


def test_a_retired_key_is_published_until_its_last_token_has_expired() -> None:
    ring = Keyring.make()
    rotated = Keyring.read(ring.rotated(1000.0).written())
    assert rotated.signing.id == ring.standby.id
    assert [key["kid"] for key in rotated.published(1000.0 + TOKEN_SECONDS)][2:] == [ring.signing.id]
    assert len(rotated.published(1000.0 + TOKEN_SECONDS + 3600)) == 2
    assert rotated.signing.pem not in json.dumps(rotated.published(1000.0))
    assert ring.signing.pem not in rotated.written()  # of a retired key the public part is kept
    later = rotated.rotated(1000.0 + TOKEN_SECONDS + 3600)
    assert [jwk["kid"] for jwk, _ in later.retired] == [rotated.signing.id]


def test_keys_that_do_not_exist_cannot_be_rotated(tmp_path: Any) -> None:
    with pytest.raises(NotFound, match="aico up"):
        rotate_keys(tmp_path / "signing.keys", 0)


def test_what_was_not_signed_here_is_nobodys(own_files: Files) -> None:
    keys = SigningKeys(own_files.signing_keys, ISSUER)
    good = keys.sign(claims())
    assert keys.verify(good)["sub"] == "a"
    kid = jwt.get_unverified_header(good)["kid"]
    ring = Keyring.read(own_files.signing_keys.read_text())
    stranger = ec.generate_private_key(ec.SECP256R1())
    forged = [
        keys.sign(claims(exp=int(time.time()) - 1)),
        keys.sign(claims(aud="other")),
        keys.sign(claims(iss="https://other.example/auth/v1")),
        keys.sign({name: value for name, value in claims().items() if name != "exp"}),
        keys.sign({name: value for name, value in claims().items() if name != "session_id"}),
        jwt.encode({"iss": ISSUER, **claims()}, stranger, "ES256", headers={"kid": kid}),
        jwt.encode({"iss": ISSUER, **claims()}, ring.signing.private, "ES256", headers={"kid": "other"}),
        jwt.encode({"iss": ISSUER, **claims()}, ring.signing.private, "ES256"),
        jwt.encode({"iss": ISSUER, **claims()}, ring.signing.jwk["x"], "HS256", headers={"kid": kid}),
        jwt.encode({"iss": ISSUER, **claims()}, "", "none", headers={"kid": kid}),
        good[:-8] + "AAAAAAAA",
        "a.b.c",
        "",
    ]
    for token in forged:
        with pytest.raises(jwt.PyJWTError):
            keys.verify(token)


def test_a_key_of_another_kind_is_refused() -> None:
    other = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(TypeError, match="elliptic"):
        Key.read(other.decode())
