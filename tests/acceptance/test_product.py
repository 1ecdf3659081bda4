"""The product as its users meet it: over HTTP and from the command line, every process real, the model simulated."""

import json
import subprocess
import sys
import time
from pathlib import Path
from signal import SIGKILL
from typing import Any
from urllib.parse import urlsplit

import httpx2
import psutil

from acceptance.conftest import Running, stack

REPOSITORY = Path(__file__).parents[2]


def aico(running: Running, *arguments: str, given: str | None = None) -> "subprocess.CompletedProcess[str]":
    """A command in the folder of the running stack, where it finds its addresses and key. `given`: standard input."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(running.state_dir / "home")}
    link = running.state_dir / "cwd"
    link.mkdir(exist_ok=True)
    if not (link / ".aico").exists():
        (link / ".aico").symlink_to(running.state_dir, target_is_directory=True)
    argv = [sys.executable, "-m", "aico.cli.main", *arguments]
    return subprocess.run(
        argv, input=given, capture_output=True, text=True, check=False, cwd=link, env=environment, timeout=120
    )


def processes_of(folder: Path) -> list[str]:
    found = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        try:
            words = [*process.cmdline(), *process.environ().values()]
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if process.status() != psutil.STATUS_ZOMBIE and any(str(folder) in word for word in words):
            found.append(" ".join(process.cmdline()))
    return found


def ask(running: Running, request: dict[str, Any]) -> dict[str, Any]:
    with running.client() as client:
        return client.wait(client.submit(request)["id"])


def test_a_prompt_is_answered_and_the_next_like_it_from_the_cache(product: Running) -> None:
    first = ask(product, {"prompt": "Which planet is the largest one?"})
    assert first["status"] == "completed"
    assert first["routing"]["cache"] == "miss"
    assert first["routing"]["provider"] == "simulated"
    same = ask(product, {"prompt": "Which planet is the largest one?"})
    assert same["routing"]["cache"] == "exact"
    alike = ask(product, {"prompt": "which planet is the LARGEST one?"})
    assert alike["routing"]["cache"] == "semantic"
    assert alike["routing"]["similarity"] > 0.95
    other = ask(product, {"prompt": "Which planet is the largest one?", "system": "Answer in French."})
    assert other["routing"]["cache"] == "miss"
    assert first["answer"] == same["answer"] == alike["answer"]


def test_every_class_and_cache_mode_is_answered(product: Running) -> None:
    for job_class in ("interactive", "standard", "batch"):
        for cache in ("off", "exact", "semantic", "refresh"):
            job = ask(product, {"prompt": f"Say {job_class} and {cache}.", "class": job_class, "cache": cache})
            assert job["status"] == "completed", (job_class, cache, job)


def test_the_service_is_well_and_says_so(product: Running) -> None:
    with product.client() as client:
        health = client.health()
    assert health["status"] == "ok", health
    assert {worker["name"] for worker in health["workers"]} >= {"embed", "route", "record", "sweep"}


def test_the_command_line_finds_the_running_stack(product: Running) -> None:
    answered = aico(product, "submit", "What is a queue?")
    assert answered.returncode == 0, answered.stderr
    assert "simulated" in answered.stdout
    assert "simulated/simulated-small" in answered.stderr
    submitted = aico(product, "submit", "What is a stack?", "--no-wait")
    assert submitted.returncode == 0
    watched = aico(product, "watch", submitted.stdout.strip(), "--json")
    assert json.loads(watched.stdout)["status"] == "completed"
    report = aico(product, "report", "--json")
    assert json.loads(report.stdout)["rows"]
    made = aico(product, "keys", "create", "for a test")
    assert made.returncode == 0, made.stderr
    key = made.stdout.strip()
    answer = httpx2.get(f"{product.url}/v1/jobs", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 200
    for part in ("api", "embed", "route", "record", "sweep"):
        well = aico(product, "health", part)
        assert (well.returncode, well.stdout.strip()) == (0, "ok"), part
    examined = aico(product, "doctor")
    assert examined.returncode == 0, examined.stdout
    assert f"ok at {product.url}" in examined.stdout


def test_a_batch_file_is_answered_and_resumed(product: Running, tmp_path: Path) -> None:
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    lines = [{"id": f"l{number}", "prompt": f"Count to {number}."} for number in range(20)]
    source.write_text("".join(json.dumps(line) + "\n" for line in lines[:12]))
    assert aico(product, "batch", str(source), "-o", str(output)).returncode == 0
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert aico(product, "batch", str(source), "-o", str(output)).returncode == 0
    results = [json.loads(line) for line in output.read_text().splitlines()]
    assert sorted(result["id"] for result in results) == sorted(line["id"] for line in lines)
    assert all(result["status"] == "completed" for result in results)


def test_the_demo_shows_its_table_and_leaves_nothing_behind(tmp_path: Path) -> None:
    home, state = tmp_path / "home", tmp_path / "state"
    home.mkdir()
    argv = [sys.executable, "-m", "aico.cli.main", "demo", "--simulated", "--state-dir", str(state)]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(home)}
    demo = subprocess.run(
        argv, capture_output=True, text=True, check=False, cwd=REPOSITORY, env=environment, timeout=120
    )
    assert demo.returncode == 0, demo.stdout + demo.stderr
    for word in ("exact hit", "semantic hit", "called", "saved", "p95", "/docs", "Flower"):
        assert word in demo.stdout
    assert "not answered" in demo.stdout  # a column, whose cells are all 0
    assert list(home.iterdir()) == []
    assert processes_of(state) == []


def test_nothing_outlives_a_stack_that_is_killed(tmp_path: Path) -> None:
    with stack(tmp_path / "stack") as running:
        flower = next(line for line in (running.state_dir / "up.log").read_text().splitlines() if "Flower" in line)
        url = next(word for word in flower.split() if word.startswith("http"))
        assert urlsplit(url).hostname == "127.0.0.1"
        assert httpx2.get(f"{url}/api/workers").status_code == 401
        password = (running.state_dir / "flower.password").read_text()
        workers = httpx2.get(f"{url}/", auth=("admin", password))
        assert workers.status_code == 200
        running.process.send_signal(SIGKILL)
        running.process.wait(10)
        give_up = time.monotonic() + 20
        while processes_of(running.state_dir) and time.monotonic() < give_up:
            time.sleep(0.1)
        assert processes_of(running.state_dir) == []
