"""Alerts and dashboards ask for what the product tells, and each alert says where to read on."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from aico.api.metrics import exposition
from aico.api.operations import Figures
from aico.api.request_times import RequestTimes
from aico.api.routers.health import NEEDED
from aico.core.attempts import AttemptKind
from aico.core.jobs import JobClass
from aico.store.operations import CacheStanding, QueueStats, Total
from aico.workers.heartbeat import Beat

ROOT = Path(__file__).parents[2]
PROMETHEUS, GRAFANA = ROOT / "infra/prometheus", ROOT / "infra/grafana"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"] for rule in group["rules"]
]
DASHBOARDS = {path.stem: json.loads(path.read_text()) for path in (GRAFANA / "dashboards").glob("*.json")}
OF_PROMETHEUS = {"up": {"job"}}  # what it notes itself
BY_SCRAPE = {"job", "instance"}
MACROS = {"$__rate_interval": "5m", "$__range": "6h"}
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool on this machine")


def panels() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, dashboard in DASHBOARDS.items():
        for panel in dashboard["panels"]:
            if panel["type"] != "row":
                yield f"{name}: {panel['title']}", panel


def queries() -> dict[str, str]:
    """Every expression by where it stands, Grafana's macros replaced."""
    found = {rule["alert"]: rule["expr"] for rule in RULES}
    for title, panel in panels():
        for target in panel["targets"]:
            expression = target["expr"]
            for macro, value in MACROS.items():
                expression = expression.replace(macro, value)
            found[f"{title} {target['refId']}"] = expression
    return found


QUERIES = queries()
every_query = pytest.mark.parametrize("query", QUERIES.values(), ids=list(QUERIES))


def told() -> dict[str, dict[str, set[str]]]:
    """By sample's name: the values of each label that the product may give it, from an exposition of everything."""
    hits = [
        Total(kind, outcome, "local", "m", 1, 1, 1, 1, Decimal(1), Decimal(2), Decimal(1), Decimal(1), "routing")
        for kind in AttemptKind
        for outcome in ("ok", "retryable", "fatal", "cancelled", "lost")
    ]
    queues = [QueueStats(job_class, 1, 1, 1, 1, 1, 1.0, 1.0) for job_class in JobClass]
    standing = [CacheStanding(state, 1, 2, 1) for state in ("learning", "serving", "probation", "suspended")]
    times = RequestTimes()
    for door in ("/v1/jobs", "/v1/chat", "/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/"):
        for status in (200, 404, 500):
            times.note("POST", door, status, 1.0)
    workers = {name: [Beat(progress=0.0, slots=1)] for name in NEEDED}
    names: dict[str, dict[str, set[str]]] = {}
    text = exposition(Figures(queues, 1, hits, standing), workers, times).decode()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = names.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    return names


TOLD = told()


@every_query
def test_a_query_asks_for_metrics_and_labels_that_exist(query: str) -> None:
    selectors = re.findall(r"\b(aico_\w+|up)(?:{([^}]*)})?(?=[^\w(]|$)", query)
    assert selectors
    known = set(BY_SCRAPE) | {"name"}  # `name` by absent(), of its own selector
    for metric, matchers in selectors:
        assert metric in TOLD or metric in OF_PROMETHEUS, metric
        labels = TOLD.get(metric, {})
        known |= labels.keys()
        for label, operator, value in re.findall(r'(\w+)(=~|!~|!=|=)"([^"]*)"', matchers):
            assert label in labels or label in BY_SCRAPE, f"{metric} has no label {label}"
            wanted = value.split("|") if "~" in operator else [value]
            assert label in BY_SCRAPE or set(wanted) <= labels[label], f"{metric} never has {label}={value}"
    for grouping in re.findall(r"\b(?:by|on|group_left) \(([^)]*)\)", query):
        assert {label.strip() for label in grouping.split(",") if label.strip()} <= known, grouping


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_and_leads_to_a_section_of_the_runbook(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket"}
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(), re.MULTILINE)
    assert anchor in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert rule["annotations"]["summary"].endswith(".")


def test_the_runbook_names_every_alert() -> None:
    named = set(re.findall(r"^\| `(Aico\w+)` \|", (ROOT / "docs/operations.md").read_text(), re.MULTILINE))
    assert named == {rule["alert"] for rule in RULES}


def test_every_kind_of_worker_is_missed() -> None:
    (rule,) = (rule for rule in RULES if rule["alert"] == "AicoWorkerMissing")
    assert set(re.findall(r'absent\(aico_workers{name="(\w+)"}\)', rule["expr"])) == set(NEEDED)


def test_the_dashboard_shows_every_metric_and_explains_every_panel() -> None:
    shown = {metric for title, panel in panels() for target in panel["targets"] for metric in _metrics(target["expr"])}
    bare = {re.sub(r"_(bucket|sum|count)$", "", name) for name in TOLD if not name.endswith("_created")}
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown} == bare - {"aico_cache_audit_samples"}
    assert all(panel["description"] for _, panel in panels())


def _metrics(expression: str) -> set[str]:
    return set(re.findall(r"\baico_\w+", expression))


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_have_their_own_ids_and_places(name: str) -> None:
    placed = [panel["gridPos"] for panel in DASHBOARDS[name]["panels"]]
    squares = [
        (x, y) for at in placed for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(squares) == len(set(squares))
    assert max(x for x, _ in squares) < 24
    assert len({panel["id"] for panel in DASHBOARDS[name]["panels"]}) == len(placed)


def test_grafana_finds_its_source_and_its_dashboards() -> None:
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())["datasources"]
    assert {target["datasource"]["uid"] for _, panel in panels() for target in panel["targets"]} == {source["uid"]}
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/aico.yml").read_text())["providers"]
    mounted = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["grafana"]["volumes"]
    for name in DASHBOARDS:
        assert f"./infra/grafana/dashboards/{name}.json:{provider['options']['path']}/{name}.json:ro" in mounted
    assert source["url"] == "http://prometheus:9090"


@needs_promtool
def test_every_query_parses(tmp_path: Path) -> None:
    rules = [{"record": f"q{number}", "expr": query} for number, query in enumerate(QUERIES.values())]
    written = tmp_path / "rules.yml"
    written.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", str(written)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout


@needs_promtool
def test_alerts_fire_for_what_they_are_about_and_are_quiet_where_all_is_well() -> None:
    scenes = ROOT / "tests/infra/alerts_test.yml"
    done = subprocess.run(["promtool", "test", "rules", str(scenes)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(re.findall(r"Aico\w+", scenes.read_text())) == {rule["alert"] for rule in RULES}


@needs_promtool
def test_prometheus_accepts_its_configuration(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("x")
    text = (PROMETHEUS / "prometheus.yml").read_text().replace("/tmp/metrics_token", str(token))  # noqa: S108 - the container's
    (tmp_path / "prometheus.yml").write_text(text)
    shutil.copy(PROMETHEUS / "alerts.yml", tmp_path)
    command = ["promtool", "check", "config", str(tmp_path / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
