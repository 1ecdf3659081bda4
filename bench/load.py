"""One closed-loop load and what came of it. The load runs in a process of its own: see `client`."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil

from bench.prompts import Kind
from bench.servers import ROOT

PLACE = "@@"  # where a body takes its prompt
_GRACE_SECONDS = 90  # the last answers may come this long after the load has ended


@dataclass(frozen=True, slots=True)
class Load:
    """`callers` connections to 127.0.0.1, each of which sends its next request when its last one is answered."""

    port: int
    path: str
    body: str  # JSON that contains PLACE
    expect: str  # must stand in every answer
    callers: int
    seconds: float
    headers: Mapping[str, str]
    prompts: Kind = "distinct"
    first: int = 0  # number of the first prompt
    limit: int | None = None  # requests, if they come to an end before the seconds


@dataclass(frozen=True, slots=True)
class Outcome:
    answers: int
    unexpected: int  # not 2xx, or without what was expected
    example: str  # the beginning of the first unexpected answer
    seconds: float
    p50_ms: float
    p99_ms: float
    client_cpu_seconds: float

    @property
    def rate(self) -> float:
        return self.answers / self.seconds


class LoadFailed(RuntimeError):
    pass


def percentile(ordered: Sequence[float], share: float) -> float:
    """Nearest rank: the smallest value that at least `share` of the ascending values do not exceed."""
    return ordered[max(ceil(share * len(ordered)), 1) - 1]


def run_load(load: Load) -> Outcome:
    """Blocks until the load has ended. Raises LoadFailed where the client broke off."""
    client = subprocess.run(
        [sys.executable, "-m", "bench.client"],
        input=json.dumps(asdict(load)),
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=load.seconds + _GRACE_SECONDS,
        check=False,
    )
    if client.returncode:
        raise LoadFailed(f"{load.path}: {client.stderr.strip()[-2000:]}")
    return Outcome(**json.loads(client.stdout))
