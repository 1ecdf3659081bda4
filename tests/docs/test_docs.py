"""The documentation is held to the code: what it names exists, and what exists and matters is named."""

import ast
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from documented import document
from pydantic import SecretStr
from typer.main import get_command

from aico import __version__
from aico.api.metrics import exposition
from aico.api.operations import Figures
from aico.cli.main import app
from aico.core.access import KEY_PERMISSIONS, ROLE_PERMISSIONS, Permission, Role
from aico.core.attempts import AttemptKind
from aico.core.jobs import JobClass
from aico.core.settings import Settings
from aico.store.operations import CacheStanding, QueueStats, Total
from aico.workers.heartbeat import Beat
from aico.workers.lane_results import FAILED
from aico.workers.lane_steps import HEDGED
from aico.workers.process import EXIT_DEAF, EXIT_UNFINISHED

ROOT = Path(__file__).parents[2]
README, CHANGELOG = ROOT / "README.md", ROOT / "CHANGELOG.md"
ARCHITECTURE, CONFIGURATION = ROOT / "docs/architecture.md", ROOT / "docs/configuration.md"
TENANTS = ROOT / "docs/tenants.md"
OPERATIONS = ROOT / "docs/operations.md"
DECISIONS = sorted((ROOT / "docs/decisions").glob("*.md"))
PAGES = [README, CHANGELOG, *sorted((ROOT / "docs").rglob("*.md"))]
FOLDERS = {".ci", "aico", "bench", "docs", "examples", "infra", "requirements", "supabase", "tests"}
REQUIRED_IN_README = {
    *("SUPABASE_URL", "SUPABASE_ANON_KEY", "SUPABASE_SERVICE_KEY", "SUPABASE_JWT_SECRET"),
    *("GOOGLE_API_KEY", "ANTHROPIC_API_KEY", "OPENROUTER_API_KEY", "CEREBRAS_API_KEY"),
    *("EMBEDDING_MODEL_NAME", "EMBEDDING_DEVICE", "SIMILARITY_THRESHOLD"),
    *("CORS_ORIGINS", "LOG_LEVEL", "PORT", "COST_OPTIMIZER_API_URL"),
}

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


class Block(NamedTuple):
    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    return [Block(*found) for found in re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)]


def spans(page: Path) -> list[str]:
    """Inline code, outside code blocks."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"`([^`\n]+)`", prose)


def commands(page: Path) -> list[str]:
    """Inline code and the lines of shell blocks, without their comments."""
    lines = [line for block in blocks(page) if block.language == "sh" for line in block.text.splitlines()]
    return [*spans(page), *(line.partition(" #")[0] for line in lines)]


def rows(page: Path) -> dict[str, str]:
    """Variable to default, of the tables that have a row for each variable: `NAME`, default, meaning."""
    return dict(re.findall(r"^\| `([A-Z_]+)` \| (none|`[^`]*`) \| .+ \|$", page.read_text(), re.MULTILINE))


def default(name: str) -> str:
    value = Settings.model_fields[name].default
    if value is None or value == ():
        return "none"
    shown = value.get_secret_value() if isinstance(value, SecretStr) else value
    return f"`{shown}`"


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@cache
def served_routes() -> set[str]:
    """Method and path of each."""
    paths = document()["paths"]
    return {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}


def known_commands(group: object, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], set[str]]]:
    """The words of each command and group, with the options that it takes."""
    for name, command in getattr(group, "commands", {}).items():
        yield from known_commands(command, (*above, name))
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        yield (*above, name), known | {"--help"}


def aico_calls(page: Path) -> list[list[str]]:
    """The words after `aico`, quoted ones replaced by one."""
    parts = (part for command in commands(page) for part in command.split("|"))  # of pipelines, each on its own
    found = (re.search(r"(?<![\w/.-])(?:\.venv/bin/)?aico ([a-z].*)", part) for part in parts)
    return [re.sub(r'"[^"]*"', "TEXT", call[1]).split() for call in found if call is not None]


def test_every_setting_is_described_with_its_default() -> None:
    assert rows(CONFIGURATION) == {name.upper(): default(name) for name in Settings.model_fields}


def test_the_readme_describes_what_comes_up_most() -> None:
    shown = rows(README)
    assert shown.keys() == REQUIRED_IN_README
    assert shown == {name: default(name.lower()) for name in shown}


def test_the_readme_lists_every_route() -> None:
    assert {span for span in spans(README) if re.match(r"(GET|POST|PUT|PATCH|DELETE) /", span)} == served_routes()


@every_page
def test_named_routes_exist(page: Path) -> None:
    served = {re.sub(r"{\w+}", "{}", route) for route in served_routes()}
    for route in re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^`?]*)", page.read_text()):
        assert re.sub(r"{\w+}", "{}", route) in served


def test_the_roles_have_the_permissions_that_are_described() -> None:
    shown = re.findall(r"^\| `(\w+:\w+)` \| (.+) \|$", TENANTS.read_text(), re.MULTILINE)
    holders = [*(ROLE_PERMISSIONS[role] for role in Role), KEY_PERMISSIONS]
    assert {name: cells.split(" | ") for name, cells in shown} == {
        permission: ["yes" if permission in holder else "no" for holder in holders] for permission in Permission
    }


def test_every_action_that_is_audited_is_named() -> None:
    code = "".join(
        file.read_text() for folder in ("store", "migrations") for file in (ROOT / "aico" / folder).glob("*.sql")
    )
    written = set(re.findall(r"'((?:api_key|member|invitation|tenant)\.\w+)'", code))
    named = set(re.findall(r"`((?:api_key|member|invitation|tenant)\.\w+)`", TENANTS.read_text()))
    assert written == named


def test_the_runbook_lists_every_metric() -> None:
    queues = [QueueStats(JobClass.BATCH, 1, 1, 1, 1, 1, 1.0, 1.0)]
    sums = 1, 0, 1, 1, Decimal(1), Decimal(2), Decimal(1), Decimal(0)
    hits = [Total(kind, "ok", "local", "smollm2-135m", *sums, "routing") for kind in AttemptKind]
    figures = Figures(queues, 1, hits, [CacheStanding("serving", 1, 2, 1)])
    text = exposition(figures, {"route": [Beat(progress=0.0)]}).decode()
    described = set(re.findall(r"\baico_[a-z_]+", OPERATIONS.read_text()))
    assert described == set(re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE))


def test_the_runbook_names_events_that_are_logged() -> None:
    code = "".join(file.read_text() for file in (ROOT / "aico").rglob("*.py"))
    logged = set(re.findall(r'log\.\w+\(\s*"(\w+)"', code))
    _, _, table = OPERATIONS.read_text().partition("| event | level | meaning |\n| --- | --- | --- |\n")
    named = {
        event for row in table.partition("\n\n")[0].splitlines() for event in re.findall(r"`(\w+)`", row.split("|")[1])
    }
    assert named
    assert named <= logged


def test_the_runbook_explains_why_jobs_go_back_and_why_workers_leave() -> None:
    explained = set(re.findall(r"^\| `?(\w+)`? \|", OPERATIONS.read_text(), re.MULTILINE))
    router, claims = ((ROOT / "aico" / file).read_text() for file in ("workers/router.py", "store/claims.sql"))
    reasons = re.findall(r'PutBack\(\s*claim,\s*"(\w+)"', router) + re.findall(
        r"with_history\(j.history, '(\w+)'", claims
    )
    assert len(set(reasons)) == 5
    assert {*reasons, HEDGED, FAILED, str(EXIT_DEAF), str(EXIT_UNFINISHED)} <= explained


@every_page
def test_relative_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        if target.startswith("https://"):
            continue
        linked = page.parent / path if path else page
        assert linked.is_file(), target
        assert not anchor or anchor in anchors(linked), target


@every_page
def test_paths_exist(page: Path) -> None:
    files = {entry.name for entry in ROOT.iterdir() if entry.is_file()}
    for span in spans(page):
        path = span.partition("::")[0]
        looks_like_one = re.fullmatch(r"[\w./-]+", path) and (path.partition("/")[0] in FOLDERS or path in files)
        assert not looks_like_one or (ROOT / path).exists(), span


@every_page
def test_named_tests_exist(page: Path) -> None:
    for path, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page.read_text()):
        assert re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(), re.MULTILINE), f"{path}::{name}"


@every_page
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for command in commands(page):
        named = re.match(r"make (?:[A-Z]+=\S+ )*([a-z]+)", command)
        assert named is None or named[1] in targets, command


@every_page
def test_commands_and_their_options_exist(page: Path) -> None:
    known = dict(known_commands(get_command(app)))
    for call in aico_calls(page):
        name = next((tuple(call[:words]) for words in (2, 1) if tuple(call[:words]) in known), None)
        assert name is not None, call
        assert {word for word in call if word.startswith("-")} <= known[name], call


@every_page
def test_python_compiles(page: Path) -> None:
    for block in blocks(page):
        if block.language == "python":
            ast.parse(block.text, filename=str(page))


@pytest.mark.skipif(shutil.which("sh") is None, reason="no shell here")
@every_page
def test_shell_parses(page: Path) -> None:
    for block in blocks(page):
        if block.language == "sh":
            subprocess.run(["sh", "-n"], input=block.text, text=True, check=True)


@every_page
def test_toml_parses(page: Path) -> None:
    for block in blocks(page):
        if block.language == "toml":
            assert tomllib.loads(block.text)


@pytest.mark.parametrize("page", [README, ARCHITECTURE], ids=lambda page: page.name)
def test_there_is_a_picture(page: Path) -> None:
    assert any(block.language == "mermaid" and block.text.startswith("flowchart") for block in blocks(page))


def test_the_changelog_is_of_this_version() -> None:
    first = re.search(r"^## \[(.+?)\]", CHANGELOG.read_text(), re.MULTILINE)
    assert first is not None
    assert first[1] in {__version__, "Unreleased"}


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda decision: decision.stem)
def test_a_decision_is_complete_held_and_linked(decision: Path) -> None:
    text = decision.read_text()
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences", "Held by"]
    assert "::test_" in text.partition("## Held by")[2]
    assert f"(decisions/{decision.name})" in ARCHITECTURE.read_text()
    assert text.startswith(f"# {decision.name[:4]} ")


def test_the_wheel_holds_one_import_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == ["aico"]
    assert project["tool"]["importlinter"]["root_package"] == "aico"
