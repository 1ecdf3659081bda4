"""The compose file without an engine: structure, dependencies, secrets, ports, hardening and devices."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from aico.core.settings import Settings
from aico.workers.process import LAST_SECONDS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("aico:")}
GPU = {name: service for name, service in OURS.items() if service.get("profiles") == ["gpu"]}

SETTINGS = {name.upper() for name in Settings.model_fields}
SECRETS = {"AICO_APP_PASSWORD", "DATABASE_ADMIN_URL", "FLOWER_PASSWORD", "POSTGRES_PASSWORD", "REDIS_PASSWORD"}
EXTRA = SECRETS | {"FLOWER_ADDRESS", "FLOWER_USER", "POSTGRES_DB", "POSTGRES_USER"}
WATCHING = {"prometheus", "grafana"}  # in a profile of their own
COMMANDS = {
    "migrate": "migrate",
    "api": "serve",
    "embed": "worker embed",
    "route": "worker route",
    "record": "worker record",
    "notify": "worker notify",
    "lane": "worker lane",
    "batch": "worker batch",
    "sweep": "sweep",
    "index": "cache index --watch",
    "flower": "flower",
    "embed-gpu-0": "worker embed",
    "embed-gpu-1": "worker embed",
}


def test_services_are_those_of_the_architecture() -> None:
    assert set(SERVICES) == COMMANDS.keys() | {"postgres", "redis"} | WATCHING
    assert SERVICES["postgres"]["image"] == "pgvector/pgvector:pg17"
    assert set(OURS) == COMMANDS.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_each_service_runs_its_verb_and_checks_its_own_health(name: str) -> None:
    command = SERVICES[name]["command"]
    assert command == ["aico", *COMMANDS[name].split()]
    if name in {"migrate", "flower", "index"}:
        return
    role = "api" if name == "api" else command[-1]
    assert SERVICES[name]["healthcheck"]["test"] == ["CMD", "aico", "health", role]


def test_every_long_running_service_has_a_health_check_and_restarts() -> None:
    """But for `index`, which nobody waits for: it has no queue to be alive in, and without it searches are exact."""
    for name, service in SERVICES.items():
        once = name == "migrate"
        assert service["restart"] == ("no" if once else "unless-stopped")
        assert ("healthcheck" in service) is (name not in {"migrate", "index"})
        assert "stop_grace_period" in service


def test_nothing_starts_before_what_it_needs() -> None:
    for service in SERVICES.values():
        for target, wish in service.get("depends_on", {}).items():
            expected = "service_completed_successfully" if target == "migrate" else "service_healthy"
            assert target in SERVICES
            assert wish == {"condition": expected}
    for name in OURS.keys() - {"migrate", "flower", "index"}:
        assert set(SERVICES[name]["depends_on"]) == {"postgres", "redis", "migrate"}


def test_builds_point_at_dockerfiles() -> None:
    for service in OURS.values():
        assert (ROOT / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
        assert (service["build"]["dockerfile"] == "infra/docker/Dockerfile.cuda") == service["image"].endswith("-cuda")


def test_every_variable_is_a_setting_or_documented() -> None:
    used = {name for service in SERVICES.values() for name in service.get("environment", {}) if name[:3] != "GF_"}
    used |= set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", TEXT))
    assert used <= SETTINGS | EXTRA
    assert used >= EXTRA
    readme = (ROOT / "infra" / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in readme for name in EXTRA)


def test_secrets_are_demanded_and_never_written_down() -> None:
    for name in SECRETS - {"DATABASE_ADMIN_URL"} | {"FLOWER_USER"}:
        references = re.findall(rf"\$\{{{name}[^}}]*\}}", TEXT)
        assert references
        assert set(references) == {f"${{{name}:?set it in .env}}"}


def test_each_service_gets_the_secrets_it_needs_and_no_others() -> None:
    def readable(service: dict[str, Any]) -> set[str]:
        environment = service.get("environment", {})
        from_file = SECRETS if service.get("env_file") else set()
        return {name for name in SECRETS if environment.get(name, name if name in from_file else "")}

    needed = {
        "postgres": {"POSTGRES_PASSWORD"},
        "redis": {"REDIS_PASSWORD"},
        "migrate": {"AICO_APP_PASSWORD", "DATABASE_ADMIN_URL"},
        "index": {"DATABASE_ADMIN_URL"},
        "flower": {"FLOWER_PASSWORD"},
    }
    assert {name: readable(service) for name, service in SERVICES.items()} == {
        name: needed.get(name, set()) for name in SERVICES
    }


def test_the_services_log_in_as_the_plain_role() -> None:
    urls = {
        service["environment"]["DATABASE_URL"]
        for name, service in OURS.items()
        if name not in {"migrate", "flower", "index"}
    }
    assert urls == {"${DATABASE_URL:-postgresql://aico_app:${AICO_APP_PASSWORD:?set it in .env}@postgres:5432/aico}"}


def test_only_the_api_and_the_consoles_are_published_and_only_on_loopback() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {
        "api": ["127.0.0.1:${PORT:-8080}:8080"],
        "flower": ["127.0.0.1:5555:5555"],
        "grafana": ["127.0.0.1:3000:3000"],
    }
    assert all("network_mode" not in service for service in SERVICES.values())


def test_containers_are_hardened() -> None:
    for name, service in SERVICES.items():
        assert service["init"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["read_only"] is (name not in GPU)
        assert "privileged" not in service
    # The product's images name their own user; the others start as root unless told.
    assert {name: service["user"] for name, service in SERVICES.items() if name not in OURS} == {
        "postgres": "postgres",
        "redis": "valkey",
        "prometheus": "nobody",
        "grafana": "472",
    }


def test_gpu_profile_pins_one_worker_to_each_device() -> None:
    devices = []
    for service in GPU.values():
        assert service["environment"]["EMBEDDING_BACKEND"] == "torch"
        assert service["environment"]["EMBEDDING_DEVICE"] == "cuda:0"
        (reservation,) = service["deploy"]["resources"]["reservations"]["devices"]
        assert reservation["driver"] == "nvidia"
        assert reservation["capabilities"] == ["gpu"]
        devices.append(reservation["device_ids"])
    assert sorted(devices) == [["0"], ["1"]]
    assert [name for name, service in SERVICES.items() if "deploy" in service] == ["embed-gpu-0", "embed-gpu-1"]


def test_mounted_files_and_named_volumes_exist() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or (ROOT / source).is_file()


@pytest.mark.parametrize("name", [name for name, command in COMMANDS.items() if command.startswith("worker ")])
def test_a_worker_that_stops_has_time_to_put_back_what_is_unfinished(name: str) -> None:
    grace = Settings.model_fields["stop_grace_seconds"].default
    assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) > grace + LAST_SECONDS


def compose_client() -> list[str] | None:
    for client in (["docker", "compose"], ["docker-compose"]):
        if (
            shutil.which(client[0])
            and subprocess.run([*client, "version"], capture_output=True, check=False).returncode == 0
        ):
            return client
    return None


@pytest.mark.skipif(compose_client() is None, reason="no compose client on this machine")
def test_the_compose_client_accepts_the_file(tmp_path: Path) -> None:
    client = compose_client()
    assert client is not None
    mounted = [volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])]
    for name in ("docker-compose.yml", *(source for source in mounted if source.startswith("./"))):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / ".env").write_text("".join(f"{name}=x\n" for name in SECRETS | {"FLOWER_USER"}))
    command = [*client, "--project-directory", str(tmp_path), "--profile", "*", "config", "--quiet"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
