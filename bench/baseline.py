"""The bare FastAPI endpoint that rates and CPU time of the product's API are compared with."""

from pathlib import Path

import psutil

from bench.load import PLACE, Load
from bench.measure import Row, measure
from bench.servers import Cores, running_module


def row(logs: Path, cores: Cores | None, *, callers: int, seconds: float) -> Row:
    api_core = frozenset({cores.api}) if cores else None
    with running_module("bench.bare_endpoint", logs, api_core) as (port, pid):
        body = f'{{"prompt": "{PLACE}", "cache": "off"}}'
        load = Load(port, "/v1/jobs", body, '"queued"', callers, seconds, {"authorization": "Bearer none"})
        return measure("bare FastAPI endpoint", load, {"api": [psutil.Process(pid)]})
