from pathlib import Path

import pytest
from pydantic import SecretStr

from aico.core.errors import InvalidInput, UnknownModel
from aico.core.settings import Settings
from aico.routing.catalogue import Catalogue
from aico.routing.models import RateLimit


def test_only_configured_providers_offer_models() -> None:
    catalogue = Catalogue.from_settings(Settings.model_construct(google_api_key=SecretStr("k")))
    assert {model.provider for model in catalogue.models} == {"google"}
    assert [status.name for status in catalogue.providers if status.configured] == ["google"]
    assert "gpt-5.4-mini" in catalogue.known


def test_everything_configured(catalogue: Catalogue) -> None:
    assert {model.id for model in catalogue.models} == set(catalogue.known)
    assert len(set(catalogue.known)) == len(catalogue.known)
    providers = {"openai", "anthropic", "google", "cerebras", "openrouter", "openai_compatible", "local", "simulated"}
    assert {status.name for status in catalogue.providers} == providers
    assert all(status.models for status in catalogue.providers)
    assert catalogue.find("house-model").provider == "openai_compatible"


def test_finding(catalogue: Catalogue) -> None:
    assert catalogue.find("claude-haiku-4-5").provider_model == "claude-haiku-4-5"
    with pytest.raises(UnknownModel, match="does not exist"):
        catalogue.find("gpt-2")
    with pytest.raises(UnknownModel, match="set ANTHROPIC_API_KEY"):
        Catalogue.from_settings(Settings.model_construct()).find("claude-haiku-4-5")
    with pytest.raises(UnknownModel, match="set LOCAL_MODEL_URL"):
        Catalogue.from_settings(Settings.model_construct()).find("smollm2-135m")


def test_operator_file_adds_and_overrides(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        """
        [[models]]
        id = "gpt-5.4"
        provider = "openai"
        provider_model = "gpt-5.4-2026-03-05"
        quality = 0.7
        context_window = 1000
        max_output = 100

        [[models]]
        id = "mine"
        provider = "openai_compatible"
        provider_model = "org/mine"
        quality = 0.4
        context_window = 2000
        max_output = 200
        capabilities = ["json"]

        [[prices]]
        provider = "openai_compatible"
        model = "org/mine"
        from = 2026-01-01
        input = "0.2"
        output = "0.4"
        """
    )
    settings = Settings.model_construct(openai_api_key=SecretStr("k"), catalogue_file=path)
    catalogue = Catalogue.from_settings(settings)
    assert catalogue.find("gpt-5.4").provider_model == "gpt-5.4-2026-03-05"
    assert catalogue.known.count("gpt-5.4") == 1
    assert "mine" in catalogue.known
    assert catalogue.price_entries[-1].model == "org/mine"


def _limit(provider: str, model: str | None = None, rpm: float = 5) -> str:
    named = f'model = "{model}"\n' if model is not None else ""
    return f'[[limits]]\nprovider = "{provider}"\n{named}requests_per_minute = {rpm}\n'


def test_limits(tmp_path: Path, catalogue: Catalogue) -> None:
    assert catalogue.limits == ()
    path = tmp_path / "own.toml"
    path.write_text(_limit("openai") + "tokens_per_minute = 1000\n" + _limit("openai", "gpt-5.4", 3))
    limits = Catalogue.from_settings(Settings.model_construct(catalogue_file=path)).limits
    assert limits == (
        RateLimit(provider="openai", requests_per_minute=5, tokens_per_minute=1000),
        RateLimit(provider="openai", model="gpt-5.4", requests_per_minute=3),
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("models = [", "is not TOML"),
        ('[[models]]\nid = "x"', "models.0.provider: Field required"),
        ("surprise = 1", "surprise: Extra inputs"),
        (
            """[[models]]
            id = "x"
            provider = "acme"
            provider_model = "x"
            quality = 0.5
            context_window = 1
            max_output = 1""",
            "unknown provider 'acme'",
        ),
        (
            """[[prices]]
            provider = "openai"
            model = "x"
            from = 2026-02-01
            until = 2026-01-01
            input = 1
            output = 1""",
            "until must be later than from",
        ),
        ('[[limits]]\nprovider = "openai"', "limits.0: Value error, a limit needs requests_per_minute"),
        (_limit("openai", rpm=0), "limits.0.requests_per_minute: Input should be greater than or equal to 1"),
        (_limit("openai", rpm=1.5), "limits.0.requests_per_minute: Input should be a valid integer"),
        (_limit("acme"), "a limit names the unknown provider 'acme'"),
        (_limit("openai", "gpt-2"), "a limit of 'openai' names the unknown model 'gpt-2'"),
        (_limit("google", "gpt-5.4"), "the model 'gpt-5.4' is not of the provider 'google'"),
        (_limit("openai") + _limit("openai"), "'openai' has two limits for all of its models"),
    ],
)
def test_operator_file_errors_are_precise(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=complaint) as caught:
        Catalogue.from_settings(Settings.model_construct(catalogue_file=path))
    assert caught.value.param == "catalogue_file"


def test_missing_operator_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot read"):
        Catalogue.from_settings(Settings.model_construct(catalogue_file=tmp_path / "none.toml"))
