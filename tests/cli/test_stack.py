"""What `aico up` starts, as far as it can be told without starting it."""

import re
from pathlib import Path
from typing import Any

import pytest

from aico.cli.first_person import OWNER
from aico.cli.running import show_addresses
from aico.cli.stack import Options, Stack
from aico.core.errors import InvalidInput
from aico.core.settings import Settings


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that names nothing."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def stack(state_dir: Path, *, flower: bool = False, **given: Any) -> Stack:
    settings = Settings(_env_file=None, redis_url="redis://127.0.0.1:9/0", **given)  # type: ignore[arg-type, call-arg]
    return Stack(settings, Options(state_dir, local_model=False, flower=flower))


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
def test_no_stand_in_is_started_beside_what_the_operator_has(tmp_path: Path, given: dict[str, Any]) -> None:
    made = stack(tmp_path, **given)
    assert made.auth is None
    assert "SUPABASE_URL" not in made.environment
    assert not (tmp_path / "auth").exists()


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("folder", ["/proc/aico", "a file"])
def test_a_folder_that_cannot_be_had_is_refused_in_a_line(tmp_path: Path, folder: str) -> None:
    (tmp_path / "a file").touch()
    with pytest.raises(InvalidInput, match="--state-dir"):
        stack(tmp_path / folder)


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


@pytest.mark.usefixtures("bare")
def test_the_console_is_told_only_where_it_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    without = stack(tmp_path / "without")
    show_addresses(without)
    assert "Flower" not in capsys.readouterr().out
    assert not [name for name in without.environment if name.startswith("FLOWER_")]
    with_it = stack(tmp_path / "with", flower=True)
    show_addresses(with_it)
    assert f"Flower   {with_it.environment['FLOWER_URL']}" in capsys.readouterr().out


@pytest.mark.usefixtures("bare")
def test_two_that_are_prepared_at_the_same_time_share_no_port(tmp_path: Path) -> None:
    """As when two are started together: neither listens yet."""
    made = [stack(tmp_path / name, flower=True) for name in ("one", "other")]
    named = ("PORT", "DATABASE_URL", "SUPABASE_URL", "FLOWER_PORT")
    ports = [re.findall(r"\d{4,5}(?=/|$)", one.environment[name])[0] for one in made for name in named]
    assert len(set(ports)) == len(made) * len(named)
