"""Envelopes are opened where they belong, with the key that wrapped them, and nowhere else."""

import base64
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from aico.core import envelope
from aico.core.encryption_keys import parse_keys
from aico.core.envelope import LocalKeys, Sealed, UnreadableSecret, rewrap, seal, unseal
from aico.core.errors import InvalidInput, Unavailable
from aico.core.key_encryption import Hooked, key_encryption
from aico.core.settings import Settings, checked

SECRET = SecretStr("sk-the-secret-of-a-tenant")
HERE, ELSEWHERE = b"tenant a", b"tenant b"
OLD, NEW = bytes(range(32)), bytes(range(32, 64))


def b64(key: bytes) -> str:
    return base64.b64encode(key).decode()


def with_field(sealed: Sealed, field: str, value: bytes) -> Sealed:
    changed: dict[str, Any] = {field: value}
    return replace(sealed, **changed)


def settings(**given: str) -> Settings:
    return checked(lambda: Settings(_env_file=None, **given))  # type: ignore[call-arg,arg-type]


def test_a_secret_comes_back_and_no_two_envelopes_are_alike() -> None:
    keys = LocalKeys({"old": OLD})
    first, second = (seal(keys, SECRET, bound_to=HERE) for _ in range(2))
    assert unseal(keys, first, bound_to=HERE) == SECRET
    assert first.kek_id == "old"
    for one, other in ((first.nonce, second.nonce), (first.wrapped_key, second.wrapped_key)):
        assert one != other
    assert SECRET.get_secret_value().encode() not in first.ciphertext


@pytest.mark.parametrize("field", ["wrapped_key", "nonce", "ciphertext"])
@pytest.mark.parametrize("place", [0, -1])
def test_one_changed_bit_is_noticed(field: str, place: int) -> None:
    keys = LocalKeys({"old": OLD})
    sealed = seal(keys, SECRET, bound_to=HERE)
    spoilt = bytearray(getattr(sealed, field))
    spoilt[place] ^= 1
    with pytest.raises(UnreadableSecret) as caught:
        unseal(keys, with_field(sealed, field, bytes(spoilt)), bound_to=HERE)
    assert SECRET.get_secret_value() not in str(caught.value)


@pytest.mark.parametrize("field", ["wrapped_key", "nonce", "ciphertext"])
def test_what_was_cut_short_is_noticed(field: str) -> None:
    keys = LocalKeys({"old": OLD})
    sealed = seal(keys, SECRET, bound_to=HERE)
    for length in (0, 1, 7, 11):
        with pytest.raises(UnreadableSecret):
            unseal(keys, with_field(sealed, field, getattr(sealed, field)[:length]), bound_to=HERE)


def test_an_envelope_in_another_place_stays_closed() -> None:
    keys = LocalKeys({"old": OLD})
    with pytest.raises(UnreadableSecret, match="belongs elsewhere"):
        unseal(keys, seal(keys, SECRET, bound_to=HERE), bound_to=ELSEWHERE)


def test_a_key_that_is_not_configured_is_named_and_a_wrong_one_is_noticed() -> None:
    sealed = seal(LocalKeys({"old": OLD}), SECRET, bound_to=HERE)
    with pytest.raises(UnreadableSecret, match="'old' is not configured"):
        unseal(LocalKeys({"new": NEW}), sealed, bound_to=HERE)
    with pytest.raises(UnreadableSecret, match="was not wrapped by"):
        unseal(LocalKeys({"old": NEW}), sealed, bound_to=HERE)


def test_the_first_key_wraps_and_the_others_only_unwrap() -> None:
    old = seal(LocalKeys({"old": OLD}), SECRET, bound_to=HERE)
    both = LocalKeys({"new": NEW, "old": OLD})
    moved = rewrap(both, old)
    assert (moved.kek_id, moved.ciphertext, moved.nonce) == ("new", old.ciphertext, old.nonce)
    assert unseal(LocalKeys({"new": NEW}), moved, bound_to=HERE) == SECRET
    assert envelope.current_id(both) == "new"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("nocolon", "entry 1 has no colon"),
        (f"a b:{b64(OLD)}", "entry 1: an id is"),
        (f"a:{b64(OLD)},a:{b64(NEW)}", "entry 2: its id stands there twice"),
        ("a:not-base64!", "entry 1: the key is not base64"),
        (f"a:{b64(OLD)},b:{b64(NEW[:16])}", "entry 2: the key has 16 bytes instead of 32"),
        (f"a:{b64(OLD)},", "entry 2 has no colon"),
    ],
)
def test_a_malformed_setting_stops_the_start_without_repeating_a_key(given: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as caught:
        settings(encryption_keys=given)
    assert "ENCRYPTION_KEYS" in caught.value.detail
    told = f"{caught.value.detail}{caught.value.__cause__}{caught.value.__cause__!r}"
    assert not any(part in told for part in (b64(OLD), b64(NEW[:16]), "not-base64!", "nocolon"))


def test_without_a_setting_nothing_encrypts() -> None:
    assert key_encryption(settings()) is None


class FarAwayKeys(LocalKeys):
    """As a key management service would be: asked over a network that may be gone."""

    away = False

    def wrap(self, data_key: bytes) -> tuple[str, bytes]:
        self._answer()
        return super().wrap(data_key)

    def unwrap(self, key_id: str, wrapped: bytes) -> bytes:
        self._answer()
        return super().unwrap(key_id, wrapped)

    def _answer(self) -> None:
        if self.away:
            raise ConnectionError("no route to host")


def service() -> FarAwayKeys:
    return FarAwayKeys({"kms/1": NEW})


def without_methods() -> object:
    return object()


def test_a_hook_wraps_and_what_the_environment_wrapped_before_is_still_read() -> None:
    before = seal(LocalKeys({"old": OLD}), SECRET, bound_to=HERE)
    keys = key_encryption(settings(encryption_kms=f"{__name__}:service", encryption_keys=f"old:{b64(OLD)}"))
    assert keys is not None
    assert unseal(keys, before, bound_to=HERE) == SECRET
    after = rewrap(keys, before)
    assert after.kek_id == "kms/1"
    assert unseal(keys, after, bound_to=HERE) == SECRET


def test_a_service_that_is_away_is_worth_another_try_and_a_foreign_key_is_not() -> None:
    far = service()
    keys = Hooked(far, None)
    sealed = seal(keys, SECRET, bound_to=HERE)
    with pytest.raises(UnreadableSecret):
        unseal(keys, replace(sealed, kek_id="somebody else's"), bound_to=HERE)
    far.away = True
    with pytest.raises(Unavailable, match="ConnectionError"):
        unseal(keys, sealed, bound_to=HERE)
    with pytest.raises(Unavailable):
        seal(keys, SECRET, bound_to=HERE)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("no_such_module_here:make", "ModuleNotFoundError"),
        (f"{__name__}:nothing", "AttributeError"),
        (f"{__name__}:without_methods", "has no wrap and no unwrap"),
    ],
)
def test_a_hook_that_is_none_stops_the_start(entry: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        key_encryption(settings(encryption_kms=entry))


def test_a_hook_is_a_module_and_a_name() -> None:
    with pytest.raises(InvalidInput, match="ENCRYPTION_KMS"):
        settings(encryption_kms="just-a-name")


def test_keys_are_read_as_they_are_written() -> None:
    assert parse_keys(f"old:{b64(OLD)}, new:{b64(NEW)}") == {"old": OLD, "new": NEW}
