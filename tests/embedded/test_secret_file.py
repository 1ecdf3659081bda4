import stat
from pathlib import Path

from aico.core.encryption_keys import KEY_BYTES, parse_keys
from aico.embedded.secret_file import load_or_create_secret, new_encryption_key, write_private


def test_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "password"
    first = load_or_create_secret(path)
    assert len(first.get_secret_value()) == 32
    assert load_or_create_secret(path) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert first.get_secret_value() not in repr(first)


def test_two_secrets_differ(tmp_path: Path) -> None:
    assert load_or_create_secret(tmp_path / "a") != load_or_create_secret(tmp_path / "b")


def test_what_an_interrupted_writer_left_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "password"
    left_over = tmp_path / "password.partial"
    left_over.write_text("half", encoding="ascii")
    left_over.chmod(0o644)
    write_private(path, "whole")
    assert path.read_text(encoding="ascii") == "whole"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not left_over.exists()


def test_an_encryption_key_is_made_once_kept_private_and_readable_as_a_setting(tmp_path: Path) -> None:
    path = tmp_path / "encryption.keys"
    first = load_or_create_secret(path, new_encryption_key)
    assert load_or_create_secret(path, new_encryption_key) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (key,) = parse_keys(first.get_secret_value()).values()
    assert len(key) == KEY_BYTES
    assert new_encryption_key() != new_encryption_key()
