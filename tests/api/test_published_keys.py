"""A project's published keys: when they are looked at, and for how long they are trusted."""

import time
from uuid import uuid4

import pytest
from api.project import PUBLIC_JWK, es256, publishing
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from aico.api.tokens import KEYS_SECONDS, TokenVerifier
from aico.core.errors import Unauthorized, Unavailable
from aico.core.settings import Settings


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
