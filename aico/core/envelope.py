"""Secrets at rest: each under a data key of its own, which is wrapped by a key-encryption key that is named by its id.

A secret is encrypted with AES-256-GCM and bound to where it belongs, so that a stored row is of no use in another row's
place. Local key-encryption keys wrap data keys as RFC 3394 has it, which needs no nonce that could be used twice.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
from pydantic import SecretStr

_DATA_KEY_BITS = 256
_NONCE_BYTES = 12


class UnreadableSecret(Exception):
    """It cannot be decrypted here, however often that is tried. The message holds no part of a secret or a key."""


class KeyEncryption(Protocol):
    """What wraps data keys: this module's own LocalKeys, or the object that the hook ENCRYPTION_KMS returns.

    Thread-safe. A hook may raise anything: it is then tried again later.
    """

    def wrap(self, data_key: bytes) -> tuple[str, bytes]:
        """The id of the current key-encryption key, and the data key (32 bytes) wrapped by it."""

    def unwrap(self, key_id: str, wrapped: bytes) -> bytes:
        """The data key that `wrap` wrapped under that id. Raises UnreadableSecret where that cannot succeed."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A secret as it is stored."""

    kek_id: str
    wrapped_key: bytes
    nonce: bytes
    ciphertext: bytes  # with the tag of 16 bytes at its end


class LocalKeys:
    """Keys of the environment, of 32 bytes each: the first wraps, all unwrap."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._keys = dict(keys)
        self._current = next(iter(keys))

    def __contains__(self, key_id: str) -> bool:
        return key_id in self._keys

    def wrap(self, data_key: bytes) -> tuple[str, bytes]:
        return self._current, aes_key_wrap(self._keys[self._current], data_key)

    def unwrap(self, key_id: str, wrapped: bytes) -> bytes:
        key = self._keys.get(key_id)
        if key is None:
            raise UnreadableSecret(f"the key-encryption key {key_id!r} is not configured")
        try:
            return aes_key_unwrap(key, wrapped)
        except (InvalidUnwrap, ValueError) as error:
            raise UnreadableSecret(f"its data key was not wrapped by the key-encryption key {key_id!r}") from error


def seal(keys: KeyEncryption, secret: SecretStr, *, bound_to: bytes) -> Sealed:
    """`bound_to` says where the secret belongs: the same bytes must be given to `unseal`."""
    data_key = AESGCM.generate_key(_DATA_KEY_BITS)
    nonce = os.urandom(_NONCE_BYTES)
    ciphertext = AESGCM(data_key).encrypt(nonce, secret.get_secret_value().encode(), bound_to)
    kek_id, wrapped = keys.wrap(data_key)
    return Sealed(kek_id, wrapped, nonce, ciphertext)


def unseal(keys: KeyEncryption, sealed: Sealed, *, bound_to: bytes) -> SecretStr:
    """Raises UnreadableSecret for what was changed, moved, or wrapped by a key that is not configured."""
    data_key = keys.unwrap(sealed.kek_id, sealed.wrapped_key)
    try:
        return SecretStr(AESGCM(data_key).decrypt(sealed.nonce, sealed.ciphertext, bound_to).decode())
    except (InvalidTag, ValueError) as error:  # ValueError: a key or nonce of another length
        raise UnreadableSecret("the stored secret was changed, or belongs elsewhere") from error


def rewrap(keys: KeyEncryption, sealed: Sealed) -> Sealed:
    """The same secret under the current key-encryption key; the secret itself is not decrypted."""
    kek_id, wrapped = keys.wrap(keys.unwrap(sealed.kek_id, sealed.wrapped_key))
    return replace(sealed, kek_id=kek_id, wrapped_key=wrapped)


def current_id(keys: KeyEncryption) -> str:
    """The id under which data keys are wrapped now."""
    return keys.wrap(AESGCM.generate_key(_DATA_KEY_BITS))[0]
