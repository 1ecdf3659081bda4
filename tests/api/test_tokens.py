"""Supabase access tokens: whose are accepted, what they may do, and the attacks that get nobody in."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import httpx2
import psycopg
import pytest
from api.conftest import DEAD_PORT, Connect, Rows, assert_problem, serving
from api.project import (
    KEY_ID,
    PUBLIC_JWK,
    RSA_JWK,
    RSA_KEY_ID,
    SECRET,
    Claims,
    Project,
    es256,
    hs256,
    publishing,
    rs256,
)
from conftest import Tenant
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm
from pydantic import SecretStr

from aico.api.tokens import KEYS_SECONDS, TokenVerifier
from aico.core.errors import Unauthorized, Unavailable
from aico.core.settings import Settings
from aico.embedded.ports import LOOPBACK

Member = Callable[..., UUID]


@pytest.fixture(scope="module")
def project() -> Iterator[Project]:
    with publishing() as made:
        yield made


@pytest.fixture(scope="module")
def with_keys(base_settings: Settings, project: Project) -> Iterator[str]:
    """Trusts the published keys alone."""
    with serving(base_settings.model_copy(update={"supabase_url": project.url})) as url:
        yield url


@pytest.fixture(scope="module")
def with_secret(base_settings: Settings, project: Project) -> Iterator[str]:
    """Trusts the published keys and the older shared secret."""
    update = {"supabase_url": project.url, "supabase_jwt_secret": SecretStr(SECRET)}
    with serving(base_settings.model_copy(update=update)) as url:
        yield url


@pytest.fixture
def member(admin: psycopg.Connection[Any]) -> Member:
    """A new user with this role in these tenants."""

    def make(*tenants: Tenant, role: str = "member") -> UUID:
        user = uuid4()
        admin.execute("insert into auth.users (id) values (%s)", (user,))
        for tenant in tenants:
            admin.execute("insert into public.members values (%s, %s, %s)", (tenant.id, user, role))
        return user

    return make


def _by_hand(header: dict[str, Any], claims: Claims, sign: Callable[[bytes], bytes]) -> str:
    """A token that no library would make."""

    def encoded(data: bytes) -> bytes:
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    signed = b".".join(encoded(json.dumps(part).encode()) for part in (header, claims))
    return b".".join([signed, encoded(sign(signed))]).decode()


def _tampered(token: str, claims: Claims) -> str:
    header, _, signature = token.split(".")
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"{header}.{payload}.{signature}"


def _hmac(secret: bytes) -> Callable[[bytes], bytes]:
    return lambda signed: hmac.digest(secret, signed, hashlib.sha256)


def test_published_keys_and_the_shared_secret_let_a_member_in(
    connect: Connect, with_keys: str, with_secret: str, project: Project, member: Member, tenant: Tenant, rows: Rows
) -> None:
    claims = project.claims(member(tenant))
    tokens = ((with_keys, es256), (with_keys, rs256), (with_secret, es256), (with_secret, hs256))
    for url, signed in tokens:
        assert connect(url, signed(claims)).post("/v1/jobs", json={"prompt": "from a person"}).status_code == 202
    assert rows.jobs(tenant.id) == 4


def test_without_the_operators_secret_no_shared_secret_counts(
    connect: Connect, with_keys: str, project: Project, member: Member, tenant: Tenant
) -> None:
    _assert_refused(connect(with_keys, hs256(project.claims(member(tenant)))).get("/v1/jobs"))


def test_api_keys_work_beside_tokens(connect: Connect, with_secret: str, tenant: Tenant) -> None:
    assert connect(with_secret, tenant.key).get("/v1/jobs").status_code == 200


def test_who_is_no_member_is_told_nothing_about_the_tenant(
    connect: Connect, with_secret: str, project: Project, member: Member, make_tenant: Callable[[], Tenant]
) -> None:
    ours, theirs = make_tenant(), make_tenant()
    stranger, insider = hs256(project.claims(uuid4())), hs256(project.claims(member(ours)))
    details = {
        assert_problem(connect(with_secret, token, **headers).get("/v1/jobs"), 403, "forbidden")["detail"]
        for token, headers in (
            (stranger, {}),
            (stranger, {"X-Tenant-Id": str(theirs.id)}),
            (insider, {"X-Tenant-Id": str(theirs.id)}),
            (insider, {"X-Tenant-Id": str(uuid4())}),
            (insider, {"X-Tenant-Id": "' or true --"}),
        )
    }
    assert len(details) == 1


def test_who_belongs_to_several_tenants_names_one(
    connect: Connect,
    with_secret: str,
    project: Project,
    member: Member,
    make_tenant: Callable[[], Tenant],
    rows: Rows,
) -> None:
    first, second = make_tenant(), make_tenant()
    token = hs256(project.claims(member(first, second)))
    problem = assert_problem(connect(with_secret, token).get("/v1/jobs"), 403, "forbidden")
    assert problem["param"] == "X-Tenant-Id"
    for named in (str(second.id), str(second.id).upper()):
        named_client = connect(with_secret, token, **{"X-Tenant-Id": named})
        assert named_client.post("/v1/jobs", json={"prompt": named}).status_code == 202
    assert (rows.jobs(first.id), rows.jobs(second.id)) == (0, 2)


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("member", 202), ("admin", 202), ("owner", 202)])
def test_viewers_read_and_the_others_write(
    connect: Connect,
    with_secret: str,
    project: Project,
    member: Member,
    tenant: Tenant,
    rows: Rows,
    role: str,
    status: int,
) -> None:
    client = connect(with_secret, hs256(project.claims(member(tenant, role=role))))
    assert client.get("/v1/jobs").status_code == 200
    assert client.get("/costs/summary").status_code == 200
    for path in ("/v1/jobs", "/v1/chat?wait=0", "/chat?wait=0"):
        assert client.post(path, json={"prompt": "may I?"}).status_code == status
    assert rows.jobs(tenant.id) == (0 if status == 403 else 3)


def _attacks(project: Project, user: UUID) -> dict[str, str]:
    good = project.claims(user)
    stolen = ec.generate_private_key(ec.SECP256R1())
    attacks = {
        "alg none": _by_hand({"alg": "none", "typ": "JWT", "kid": KEY_ID}, good, lambda _: b""),
        "alg None": _by_hand({"alg": "None", "typ": "JWT", "kid": KEY_ID}, good, lambda _: b""),
        "public key as shared secret": _by_hand(
            {"alg": "HS256", "kid": KEY_ID}, good, _hmac(json.dumps(PUBLIC_JWK).encode())
        ),
        "shared secret under another algorithm": _by_hand(
            {"alg": "HS512", "kid": KEY_ID}, good, lambda signed: hmac.digest(SECRET.encode(), signed, hashlib.sha512)
        ),
        "empty shared secret": _by_hand({"alg": "HS256"}, good, _hmac(b"")),
        "unknown key id": es256(good, stolen, "key-2"),
        "no key id": es256(good, kid=None),
        "another's signature": es256(good, stolen),
        "tampered claims": _tampered(es256(good), project.claims(uuid4())),
        "no signature": es256(good).rpartition(".")[0] + ".",
        "key given by the token": _by_hand({"alg": "ES256", "jwk": PUBLIC_JWK}, good, lambda _: bytes(64)),
        "elliptic curve key under RSA's name": _by_hand({"alg": "RS256", "kid": KEY_ID}, good, lambda _: bytes(64)),
        "RSA key under the curve's name": _by_hand({"alg": "ES256", "kid": RSA_KEY_ID}, good, lambda _: bytes(64)),
        "RSA public key as shared secret": _by_hand(
            {"alg": "HS256", "kid": RSA_KEY_ID}, good, _hmac(json.dumps(RSA_JWK).encode())
        ),
        "another's RSA signature": rs256(good, rsa.generate_private_key(public_exponent=65537, key_size=2048)),
        "service key of the project": "sb_secret_" + "x" * 31,
        "public key of the project": "sb_publishable_" + "x" * 31,
    }
    wrong: dict[str, Claims] = {
        "audience": {"aud": "other"},
        "no audience": {"aud": None},
        "issuer": {"iss": "https://elsewhere.example/auth/v1"},
        "no issuer": {"iss": None},
        "expired": {"exp": int(time.time()) - 60},
        "no expiry": {"exp": None},
        "not yet valid": {"nbf": int(time.time()) + 600},
        "service role": {"role": "service_role"},
        "anonymous role": {"role": "anon"},
        "role in a list": {"role": ["authenticated"]},
        "anonymous user": {"is_anonymous": True},
        "no role": {"role": None},
        "no subject": {"sub": None},
        "subject that is no id": {"sub": "' or true --"},
        "subject that is no text": {"sub": 1},
        "session that is no id": {"session_id": "mine"},
        "expiry that never comes": {"exp": 1e400},
    }
    for name, changes in wrong.items():
        attacks[f"{name}, published key"] = es256(project.claims(user, **changes))
        attacks[f"{name}, shared secret"] = hs256(project.claims(user, **changes))
    return attacks


@pytest.mark.parametrize("trusting", ["with_keys", "with_secret"])
def test_forged_and_stale_tokens_get_nobody_in(
    request: pytest.FixtureRequest,
    connect: Connect,
    project: Project,
    member: Member,
    tenant: Tenant,
    rows: Rows,
    trusting: str,
) -> None:
    url = request.getfixturevalue(trusting)
    client = connect(url)
    user = member(tenant)
    assert connect(url, es256(project.claims(user))).get("/v1/jobs").status_code == 200
    for name, token in _attacks(project, user).items():
        response = client.post(
            "/v1/jobs", json={"prompt": f"attack: {name}"}, headers={"Authorization": f"Bearer {token}"}
        )
        assert response.status_code == 401, name
        _assert_refused(response)
    assert rows.jobs(tenant.id) == 0


def _assert_refused(response: httpx2.Response) -> None:
    """Nothing about which check failed, but for a role, which only a genuine token shows."""
    problem = assert_problem(response, 401, "unauthorized")
    assert problem["detail"] in {"the token is not valid", "this token is not a user's"}
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="aico"'


def test_a_little_clock_difference_is_forgiven(
    connect: Connect, with_secret: str, project: Project, member: Member, tenant: Tenant
) -> None:
    claims = project.claims(member(tenant), exp=int(time.time()) - 1)
    assert connect(with_secret, es256(claims)).get("/v1/jobs").status_code == 200


def test_a_storm_of_unknown_key_ids_fetches_no_keys(base_settings: Settings) -> None:
    with publishing() as project:
        verifier = TokenVerifier(base_settings.model_copy(update={"supabase_url": project.url}))
        good = project.claims(uuid4())
        verifier.verify(es256(good))
        for number in range(50):
            with pytest.raises(Unauthorized):
                verifier.verify(es256(good, kid=f"unknown-{number}"))
        assert project.fetches == 1


def test_two_published_keys_work_side_by_side_and_a_withdrawn_one_no_more(
    base_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = ec.generate_private_key(ec.SECP256R1())
    jwk = {**ECAlgorithm.to_jwk(new.public_key(), as_dict=True), "kid": "key-new", "alg": "ES256", "use": "sig"}
    with publishing() as project:
        project.keys = [PUBLIC_JWK, jwk]
        verifier = TokenVerifier(base_settings.model_copy(update={"supabase_url": project.url}))
        user = uuid4()
        claims = project.claims(user, email="a@example.com")
        old_token, new_token = es256(claims), es256(claims, new, "key-new")
        assert {verifier.verify(token).user for token in (old_token, new_token)} == {user}
        assert verifier.verify(new_token).email == "a@example.com"
        project.keys = [jwk]
        assert verifier.verify(old_token).user == user  # until the keys are looked at again
        later = time.monotonic() + KEYS_SECONDS
        monkeypatch.setattr(time, "monotonic", lambda: later)
        with pytest.raises(Unauthorized):
            verifier.verify(old_token)
        assert verifier.verify(new_token).user == user


@pytest.mark.parametrize("answer", [b"", b"<html>", b"[]", b"{}", b'{"keys": []}', b'{"keys": 1}'])
def test_keys_that_make_no_sense_are_no_fault_of_the_caller_and_not_fetched_for_each(
    base_settings: Settings, answer: bytes
) -> None:
    with publishing() as project:
        project.answer = answer
        verifier = TokenVerifier(base_settings.model_copy(update={"supabase_url": project.url}))
        for _ in range(5):
            with pytest.raises(Unavailable):
                verifier.verify(es256(project.claims(uuid4())))
        assert project.fetches == 1


def test_keys_that_cannot_be_fetched_are_no_fault_of_the_caller(
    connect: Connect, base_settings: Settings, project: Project, member: Member, tenant: Tenant
) -> None:
    away = f"http://{LOOPBACK}:{DEAD_PORT}"
    token = es256(project.claims(member(tenant), iss=f"{away}/auth/v1"))
    with serving(base_settings.model_copy(update={"supabase_url": away})) as url:
        response = connect(url, token).get("/v1/jobs")
    problem = assert_problem(response, 503, "unavailable")
    assert int(response.headers["Retry-After"]) >= 1
    assert away not in problem["detail"]
