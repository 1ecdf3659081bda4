"""Which keys encrypt secrets here: those of ENCRYPTION_KEYS, or the key management service behind ENCRYPTION_KMS."""

from importlib import import_module

from aico.core.encryption_keys import parse_keys
from aico.core.envelope import KeyEncryption, LocalKeys, UnreadableSecret
from aico.core.errors import AicoError, InvalidInput, Unavailable
from aico.core.settings import Settings


class Hooked:
    """A key management service wraps; what local keys wrapped before it was there is still read with them."""

    def __init__(self, service: KeyEncryption, local: LocalKeys | None) -> None:
        self._service = service
        self._local = local

    def wrap(self, data_key: bytes) -> tuple[str, bytes]:
        """Raises Unavailable for whatever the service raises."""
        try:
            return self._service.wrap(data_key)
        except Exception as error:
            raise _away(error) from error

    def unwrap(self, key_id: str, wrapped: bytes) -> bytes:
        """Raises Unavailable for whatever the service raises, but for UnreadableSecret."""
        if self._local is not None and key_id in self._local:
            return self._local.unwrap(key_id, wrapped)
        try:
            return self._service.unwrap(key_id, wrapped)
        except UnreadableSecret:
            raise
        except Exception as error:
            raise _away(error) from error


def key_encryption(settings: Settings) -> KeyEncryption | None:
    """None where nothing is configured. Raises InvalidInput for a hook that cannot be loaded."""
    keys = settings.encryption_keys
    local = LocalKeys(parse_keys(keys.get_secret_value())) if keys is not None else None
    return local if settings.encryption_kms is None else Hooked(_hook(settings.encryption_kms), local)


def _hook(entry: str) -> KeyEncryption:
    module, _, name = entry.partition(":")
    try:
        service = getattr(import_module(module), name)()
    except AicoError:
        raise
    except Exception as error:
        raise InvalidInput(f"ENCRYPTION_KMS: {entry} cannot be called: {type(error).__name__}: {error}") from error
    missing = [name for name in ("wrap", "unwrap") if not callable(getattr(service, name, None))]
    if missing:
        raise InvalidInput(f"ENCRYPTION_KMS: what {entry} returns has no {' and no '.join(missing)}")
    checked: KeyEncryption = service
    return checked


def _away(error: Exception) -> Unavailable:
    return Unavailable(f"the key management service does not answer: {type(error).__name__}")
