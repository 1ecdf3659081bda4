"""`aico experiments` against the real API: the key decides whose they are."""

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from api.conftest import serving
from cli.conftest import Aico
from conftest import Tenant, new_tenant
from experimenting import Lab, attempt

from aico.core.access import Permission
from aico.core.settings import Settings
from aico.store.blocking import Database

FILE = """
name = "a [b]smaller[/b] model"
description = "easy questions do not need the large one"

[[arms]]
name = "as-it-is"
control = true

[[arms]]
name = "small"
treatment = { model = "smollm2-135m" }

[plan]
primary = "cost"
minimum_per_arm = 50
guards = [{ metric = "failures", margin = 0.1 }]
"""


@pytest.fixture
def owner(database: Database) -> Tenant:
    return new_tenant(database, tuple(Permission))


@pytest.fixture(autouse=True)
def api(settings: Settings, owner: Tenant, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A running API, and a key of a tenant of its own in the environment."""
    with serving(settings) as url:
        monkeypatch.setenv("COST_OPTIMIZER_API_URL", url)
        monkeypatch.setenv("AICO_API_KEY", owner.key)
        yield


def created(aico: Aico, *options: str) -> str:
    Path("experiment.toml").write_text(FILE)
    made = aico("experiments", "create", "experiment.toml", *options)
    assert made.code == 0, made.err
    return str(UUID(made.out.strip()))


def test_an_experiment_goes_from_its_file_to_its_end(aico: Aico) -> None:
    experiment = created(aico)
    assert "[b]smaller[/b]" in aico("experiments", "list").out
    assert json.loads(aico("experiments", "list", "--json").out)[0]["status"] == "draft"
    assert aico("experiments", "start", experiment).code == 0
    assert json.loads(aico("experiments", "show", experiment).out)["status"] == "running"
    refused = aico("experiments", "delete", experiment)
    assert (refused.code, refused.out) == (1, "")
    assert "the experiment is running; stop it first" in refused.err
    assert aico("experiments", "stop", experiment).code == 0
    assert aico("experiments", "stop", experiment).code == 1
    assert aico("experiments", "delete", experiment).code == 0
    assert json.loads(aico("experiments", "list", "--json").out) == []


def test_results_are_a_table_and_a_sentence_for_each_comparison(aico: Aico, owner: Tenant, database: Database) -> None:
    experiment, lab = created(aico, "--start"), Lab(database, owner)
    for number in range(60):
        for arm, cents in (("as-it-is", 10 + number % 3), ("small", 1 + number % 2)):
            lab.ended(lab.in_arm(UUID(experiment), arm), [attempt(str(cents))])
    shown = aico("experiments", "results", experiment)
    assert shown.code == 0
    assert "a [b]smaller[/b] model: running" in shown.out
    assert "as-it-is (control)" in shown.out
    first = next(line for line in shown.out.splitlines() if line.startswith("* "))
    assert first.startswith("* small costs less than the control: -86.4 %")
    assert "The intervals take jobs as independent" in shown.err
    assert len(json.loads(aico("experiments", "results", experiment, "--json").out)["comparisons"]) == 4


def test_a_draft_that_cannot_be_started_is_named_all_the_same(aico: Aico) -> None:
    created(aico, "--start")
    Path("experiment.toml").write_text(FILE.replace("a [b]", "another [b]"))
    made = aico("experiments", "create", "experiment.toml", "--start")
    assert made.code == 1
    assert "changes the same" in made.err
    assert json.loads(aico("experiments", "show", made.out.strip()).out)["status"] == "draft"


def test_a_file_that_makes_no_sense_is_refused_and_named(aico: Aico) -> None:
    Path("bad.toml").write_text("name = ")
    assert aico("experiments", "create", "missing.toml").code == 2
    broken = aico("experiments", "create", "bad.toml")
    assert (broken.code, broken.out) == (2, "")
    assert "bad.toml is not TOML" in broken.err
    for value in ("2026-11-01", "inf"):
        Path("bad.toml").write_text(f'name = "x"\narms = [{{ name = "a", weight = {value} }}]')
        odd = aico("experiments", "create", "bad.toml")
        assert (odd.code, odd.out) == (2, "")
        assert "bad.toml has a value that no experiment has" in odd.err
    Path("bad.toml").write_text('name = "x"\narms = [{ name = "a" }]')
    short = aico("experiments", "create", "bad.toml")
    assert (short.code, short.out) == (1, "")
    assert "arms" in short.err
