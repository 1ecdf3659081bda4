"""The template of `.env` names every setting, shows its true default and gives away no secret."""

import re
from pathlib import Path

import pytest

from aico.core.settings import Settings

EXAMPLE = Path(__file__).parents[2] / ".env.example"
COMPOSE_ONLY = {
    "AICO_APP_PASSWORD",
    "DATABASE_ADMIN_URL",
    "FLOWER_PASSWORD",
    "FLOWER_USER",
    "POSTGRES_PASSWORD",
    "REDIS_PASSWORD",
}
LINES = EXAMPLE.read_text(encoding="utf-8").splitlines()
VARIABLES = {
    found["name"]: (number, found["value"], found["mark"] == "#")
    for number, line in enumerate(LINES)
    if (found := re.fullmatch(r"(?P<mark>#?)(?P<name>[A-Z_]+)=(?P<value>.*)", line))
}


def test_names_are_those_of_the_settings_and_of_compose() -> None:
    assert set(VARIABLES) == {name.upper() for name in Settings.model_fields} | COMPOSE_ONLY
    assert sum("=" in line for line in LINES) == len(VARIABLES)  # none twice, none in a form that was not read


def test_values_shown_are_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    uncommented = tmp_path / ".env"
    uncommented.write_text("".join(f"{name}={value}\n" for name, (_, value, _) in VARIABLES.items()))
    default = Settings(_env_file=None)  # type: ignore[call-arg] # pydantic-settings' own argument
    assert Settings(_env_file=uncommented) == default  # type: ignore[call-arg] # likewise
    unshown = {name for name, (_, value, _) in VARIABLES.items() if not value and name not in COMPOSE_ONLY}
    assert all(getattr(default, name.lower()) in {None, ()} for name in unshown)


def test_only_what_compose_needs_is_open_and_it_is_empty() -> None:
    assert {name for name, (_, _, commented) in VARIABLES.items() if not commented} == COMPOSE_ONLY
    assert all(VARIABLES[name][1] == "" for name in COMPOSE_ONLY)


@pytest.mark.parametrize("name", sorted(VARIABLES))
def test_each_variable_is_described(name: str) -> None:
    number, _, _ = VARIABLES[name]
    above = LINES[number - 1]
    shares_description = name == "FLOWER_PASSWORD"  # with the user, one line up
    assert above.startswith("# ") or shares_description
