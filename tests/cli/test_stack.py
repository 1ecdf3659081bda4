"""What `aico up` starts, as far as it can be told without starting it."""

from pathlib import Path
from typing import Any

import pytest

from aico.cli.first_person import OWNER
from aico.cli.running import show_addresses
from aico.cli.stack import Options, Stack
from aico.core.settings import Settings


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that names nothing."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def stack(state_dir: Path, **given: Any) -> Stack:
    settings = Settings(_env_file=None, redis_url="redis://127.0.0.1:9/0", **given)  # type: ignore[arg-type, call-arg]
    return Stack(settings, Options(state_dir, local_model=False, flower=False))


@pytest.mark.usefixtures("bare")
def test_a_stand_in_for_accounts_is_started_where_nothing_else_is_named(tmp_path: Path) -> None:
    made = stack(tmp_path)
    assert made.auth is not None
    assert made.environment["SUPABASE_URL"] == made.auth.url
    assert made.environment["SUPABASE_ANON_KEY"] == (tmp_path / "auth" / "publishable.key").read_text()
    assert "SUPABASE_SERVICE_KEY" not in made.environment
    assert (tmp_path / "auth" / "signing.keys").is_file()


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    "given",
    [
        {"supabase_url": "https://project.example"},
        {"supabase_jwt_secret": "a secret of the project"},
        {"database_url": "postgresql://aico_app@127.0.0.1:9/aico"},
    ],
    ids=lambda given: next(iter(given)),
)
def test_no_stand_in_is_started_beside_what_the_operator_has(tmp_path: Path, given: dict[str, str]) -> None:
    made = stack(tmp_path, **given)
    assert made.auth is None
    assert "SUPABASE_URL" not in made.environment
    assert not (tmp_path / "auth").exists()


@pytest.mark.usefixtures("bare")
def test_the_sweeper_alone_is_told_who_owns_the_tables(tmp_path: Path) -> None:
    """It builds indexes of the cache; with the owner's password any other part could step around row level security."""
    made = stack(tmp_path)
    knowing = {
        spec.name
        for spec in made._workers()
        if spec.command.env is not None and "DATABASE_ADMIN_URL" in spec.command.env
    }
    assert knowing == {"sweep"}


@pytest.mark.usefixtures("bare")
def test_where_to_sign_in_is_told_and_the_password_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    made = stack(tmp_path, dashboard_dir=pages)
    show_addresses(made)
    assert "make dashboard" in capsys.readouterr().out
    (pages / "index.html").write_text("<!doctype html>")
    show_addresses(made)
    assert OWNER not in capsys.readouterr().out  # nobody was made here
    made.owner_password_file.write_text("the password")
    show_addresses(made)
    said = capsys.readouterr().out.replace("\n", "")
    assert f"{made.api_url}/ (the dashboard)" in said
    assert OWNER in said
    assert str(made.owner_password_file) in said
    assert "the password" not in said
