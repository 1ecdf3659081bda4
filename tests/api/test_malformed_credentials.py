"""Whatever is sent in place of a credential is refused, in the right shape, and tells an attacker nothing."""

import base64
import json
import socket
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx2
import psycopg
import pytest
from api.conftest import Connect, assert_error, assert_problem
from api.identity import People
from api.project import KEY_ID, Project
from conftest import Tenant

from aico.core.keys import KEY_PREFIX, make_key
from aico.store import api_keys
from aico.store.blocking import Database
from aico.store.scope import Scope

DOORS = ["/v1/jobs", "/v1/models"]  # a native one, and one of OpenAI's
KEY = KEY_PREFIX + "x" * 43


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _token(header: Any, claims: Any = None) -> str:
    return ".".join((_b64(json.dumps(header).encode()), _b64(json.dumps(claims or {}).encode()), _b64(b"x" * 64)))


KNOWN = {"alg": "ES256", "kid": KEY_ID}
DEEP = '{"alg":' + "[" * 5000 + "]" * 5000 + "}"
HEADERS: dict[str, str | bytes] = {
    "empty": "",
    "no scheme": KEY,
    "no credential": "Bearer",
    "basic": "Basic " + base64.b64encode(b"user:" + KEY.encode()).decode(),
    "digest": 'Digest username="x"',
    "another scheme with a key": f"Token {KEY}",
    "scheme glued to the key": f"Bearer{KEY}",
    "two keys": f"Bearer {KEY} {KEY}",
    "two keys with a comma": f"Bearer {KEY}, Bearer {KEY}",
    "unknown key": f"Bearer {KEY}",
    "only the prefix": f"Bearer {KEY_PREFIX}",
    "prefix in capitals": f"Bearer {KEY.upper()}",
    "latin-1": b"Bearer \xff\xfe\xfd",
    "latin-1 behind the prefix": b"Bearer aico_live_\xff\xe4",
    "UTF-8": "Bearer schlüssel".encode(),
    "tab": "Bearer\t" + KEY,
    "escaped line end": f"Bearer {KEY}%0d%0aX-Tenant-Id: 1",
    "SQL": "Bearer aico_live_' or true --",
    "a hundred kilobytes": "Bearer " + "x" * 100_000,
    "a hundred kilobytes of a key": "Bearer " + KEY_PREFIX + "x" * 100_000,
    "a hundred kilobytes of a token": "Bearer " + ".".join(["x" * 33_000] * 3),
    "two segments": "Bearer " + _token(KNOWN).rpartition(".")[0],
    "four segments": "Bearer " + _token(KNOWN) + ".x",
    "only dots": "Bearer ..",
    "no base64": "Bearer !!!.???.***",
    "no JSON": f"Bearer {_b64(b'nonsense')}.{_b64(b'nonsense')}.{_b64(b'x')}",
    "JSON that is no object": "Bearer " + _token([1, 2]),
    "deeply nested header": f"Bearer {_b64(DEEP.encode())}.{_b64(b'{}')}.{_b64(b'x')}",
    "deeply nested claims": f"Bearer {_b64(json.dumps(KNOWN).encode())}.{_b64(DEEP.encode())}.eA",
    "huge key id": "Bearer " + _token({"alg": "ES256", "kid": "k" * 8000}),
    "key id that is no text": "Bearer " + _token({"alg": "ES256", "kid": {"a": 1}}),
    "key id as a path": "Bearer " + _token({"alg": "ES256", "kid": "../../etc/passwd"}),
    "no algorithm": "Bearer " + _token({"kid": KEY_ID}),
    "algorithm that is no text": "Bearer " + _token({"alg": ["ES256"], "kid": KEY_ID}),
    "unknown algorithm": "Bearer " + _token({"alg": "XX999", "kid": KEY_ID}),
    "critical extension": "Bearer " + _token({"alg": "ES256", "kid": KEY_ID, "crit": ["x"]}),
    "address of a key": "Bearer " + _token({"alg": "ES256", "jku": "http://127.0.0.1:9/keys", "kid": KEY_ID}),
    "secret key of Supabase": "Bearer sb_secret_" + "x" * 31,
    "publishable key of Supabase": "Bearer sb_publishable_" + "x" * 31,
}


def _refused(response: httpx2.Response) -> None:
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="aico"'
    if response.request.url.path == "/v1/models":
        body = assert_error(response, 401, "invalid_api_key")
        assert body["type"] == "authentication_error"
    else:
        assert_problem(response, 401, "unauthorized")


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", sorted(HEADERS))
def test_a_malformed_header_is_refused_in_the_shape_of_the_door(
    connect: Connect, signed_service: str, door: str, name: str
) -> None:
    value = HEADERS[name]
    _refused(
        connect(signed_service).get(
            door, headers=[(b"Authorization", value if isinstance(value, bytes) else value.encode())]
        )
    )


@pytest.mark.parametrize("door", DOORS)
def test_two_headers_are_refused_even_where_one_is_right(
    connect: Connect, signed_service: str, tenant: Tenant, door: str
) -> None:
    good, bad = ("Authorization", f"Bearer {tenant.key}"), ("Authorization", f"Bearer {KEY}")
    for pair in ([good, bad], [bad, good], [good, good]):
        _refused(connect(signed_service).get(door, headers=pair))


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\x00", b"\r"])
def test_control_characters_get_nobody_in(signed_service: str, tenant: Tenant, end: bytes) -> None:
    """What the client library would not send: bytes as they are."""
    address = urlsplit(signed_service)
    with socket.create_connection((address.hostname, address.port), timeout=20) as raw:
        key = tenant.key.encode()
        raw.sendall(
            b"GET /v1/jobs HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer "
            + key[:-1] + end + key[-1:] + b"\r\n\r\n"
        )  # fmt: skip
        answer = b""
        while piece := raw.recv(65536):
            answer += piece
    assert answer.split(b" ", 2)[1] in {b"400", b"401"}


@pytest.mark.parametrize("door", DOORS)
def test_no_other_tenant_opens_whatever_the_header_says(
    connect: Connect,
    signed_service: str,
    admin: psycopg.Connection[Any],
    signing: Project,
    make_tenant: Callable[[], Tenant],
    door: str,
) -> None:
    ours, theirs = make_tenant(), make_tenant()
    person = People(admin, connect, signing, signed_service).someone(tenant=ours.id)
    by_key = connect(signed_service, ours.key)
    named = [
        str(theirs.id), str(uuid4()), "", "x", "0", "' or true --", "null", "*", "x" * 5000,
        str(ours.id).replace("-", ""), "{" + str(ours.id) + "}", f"{ours.id},{theirs.id}", f"{ours.id}\u00e9",
    ]  # fmt: skip
    for client in (person.client, by_key):
        bodies = set()
        for value in named:
            response = client.get(door, headers=[(b"X-Tenant-Id", value.encode("latin-1"))])
            if door == "/v1/models":
                bodies.add(str(assert_error(response, 403, "forbidden")))
            else:
                bodies.add(str(assert_problem(response, 403, "forbidden")))
        assert len(bodies) == 1  # whether a tenant exists is not told
        both = [("X-Tenant-Id", str(ours.id)), ("X-Tenant-Id", str(theirs.id))]
        assert client.get(door, headers=both).status_code == 403
        assert client.get(door, headers={"X-Tenant-Id": str(ours.id)}).status_code == 200


@pytest.mark.parametrize("door", DOORS)
def test_unknown_revoked_and_expired_keys_are_told_the_same_to_the_byte(
    connect: Connect,
    signed_service: str,
    tenant: Tenant,
    database: Database,
    admin: psycopg.Connection[Any],
    door: str,
) -> None:
    """They are also looked for alike: one statement by the hash, which an index finds or does not find."""
    scope = Scope.tenant(tenant.id)
    revoked, expired, rotated = make_key("revoked"), make_key("expired"), make_key("rotated")
    for key in (revoked, expired, rotated):
        database.run(scope, api_keys.create(tenant.id, key))
    database.run(scope, api_keys.revoke(tenant.id, revoked.id))
    admin.execute("update public.api_keys set expires_at = now() where id = %s", (expired.id,))
    admin.execute(
        "update public.api_keys set old_hash = hash, old_hash_until = now(), hash = sha256(id::text::bytea)"
        " where id = %s",
        (rotated.id,),
    )
    keys = [KEY, *(key.secret.get_secret_value() for key in (revoked, expired, rotated))]
    answers = [connect(signed_service, key).get(door) for key in keys]
    for answer in answers:
        _refused(answer)
    assert len({answer.content for answer in answers}) == 1
    headers = [
        {
            name: answer.headers[name]
            for name in answer.headers
            if name not in {"x-request-id", "date", "openai-processing-ms"}
        }
        for answer in answers
    ]
    assert headers == [headers[0]] * len(headers)


def test_a_credential_that_is_verified_costs_nobody_elses_time(
    connect: Connect, signed_service: str, signing: Project
) -> None:
    """Tokens with made-up key ids cause no fetch of keys once those are known."""
    client = connect(signed_service)
    client.get("/v1/jobs", headers={"Authorization": "Bearer " + _token({"alg": "ES256", "kid": "first"})})
    before = signing.fetches
    for number in range(30):
        token = _token({"alg": "ES256", "kid": f"{number}-{time.time()}"})
        assert client.get("/v1/jobs", headers={"Authorization": f"Bearer {token}"}).status_code == 401
    assert signing.fetches == before
