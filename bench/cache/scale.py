"""How the semantic cache searches as a tenant grows: by exact search, and by an index of the namespace's own.

python -m bench.cache.scale [--rows 1000 10000 100000] [--probes 200]

A Postgres of its own is started and taken down. Everything is measured through the function that the service calls, as
the service's role. The two ways take turns on the same rows in the same run: first exact search, the baseline, then the
index that the service builds.
"""

import argparse
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psutil
import psycopg
from pgvector import HalfVector
from pgvector.psycopg import register_vector

from aico.core.cache_index import IndexState
from aico.core.errors import Unavailable
from aico.core.settings import STATE_DIR
from aico.embedded.ports import free_port
from aico.embedded.postgres import PostgresServer
from aico.store.migrate import migrate
from aico.workers.index_keeper import IndexKeeper
from bench.cache.scale_data import MODEL, Connection, Place, Population, Vectors, insert, new_place
from bench.load import percentile
from bench.report import table
from bench.servers import ROOT, cpu_seconds, running

_TENANTS, _ROWS_EACH = 50, 2000
_BATCH = 16  # the embed worker's micro-batch
_INSERTED = 320  # rows, to see what writing costs
_COUNT, _FLOOR = 8, 0.8
_PROBE = (
    "select p.number, m.id, m.similarity from unnest(%s::halfvec[]) with ordinality as p (embedding, number)"
    " cross join lateral private.nearest_entries(%s, %s, %s, p.embedding, %s::real, %s::integer) m order by 1, 3 desc"
)
_HEADINGS = (
    *("rows", "search", "probe p50 ms", "p95", "CPU ms", "16 probes p50 ms", "p95", "CPU ms each"),
    *("recall, nearest", "of 8", "CPU ms a row written", "deleted, vacuumed", "build CPU s", "wall s", "MB"),
)

Found = list[list[tuple[UUID, float]]]


@dataclass(frozen=True, slots=True)
class Timing:
    p50: float  # milliseconds, as the others
    p95: float
    cpu: float  # of Postgres


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    search: str
    single: Timing
    batch: Timing
    recall: float | None = None
    recall_8: float | None = None
    insert_cpu_ms: float | None = None
    delete_cpu_ms: float | None = None  # the vacuum after it included
    build_cpu_s: float | None = None
    build_s: float | None = None
    index_mb: float | None = None


class Laboratory:
    """A running Postgres, as its owner and as the service."""

    def __init__(self, admin_url: str, process: psutil.Process, probes: int) -> None:
        self.admin_url, self.admin = admin_url, _connect(admin_url)
        self._groups = {"postgres": [process]}
        self._service = _connect(admin_url)
        self._probes = probes
        self.population = Population()

    def rows(self, name: str, places: Sequence[Place], stored: Vectors, *, indexed: bool) -> Iterator[Row]:
        """Exact search, then by index where there is to be one. The questions are those of the first place."""
        self.admin.execute("select private.add_up_cache_changes(1000)")  # as the sweeper does
        self.admin.execute("vacuum analyze cache_vectors, cache_entries")
        place, questions = places[0], self.population.questions(stored[:: len(places)], self._probes)
        exact, single, batch = self._search(place, questions)
        yield Row(name, "exact", single, batch, None, None, *self._writing(place))
        if not indexed:
            return
        keeper = IndexKeeper(self.admin_url, least_rows=len(stored))
        started, before = time.perf_counter(), self._cpu()
        kept = keeper.step(threading.Event()) or []
        build = self._cpu() - before, time.perf_counter() - started
        (own,) = (one for one in kept if one.standing.scope.tenant == place.tenant)
        if own.standing.state is not IndexState.USED:
            raise Unavailable(f"the index is {own.standing.state}: its recall was {own.recall}")
        found, single, batch = self._search(place, questions)
        recalls = agreement(exact, found, 1), agreement(exact, found, _COUNT)
        yield Row(name, "index", single, batch, *recalls, *self._writing(place), *build, (own.bytes or 0) / 1e6)

    def _search(self, place: Place, questions: Sequence[HalfVector]) -> tuple[Found, Timing, Timing]:
        self._service.execute(
            "select set_config('role', 'aico_service', false), set_config('aico.tenants', %s, false)",
            (str(place.tenant),),
        )
        batches = [questions[start : start + _BATCH] for start in range(0, len(questions), _BATCH)]
        self._ask(place, questions[:_BATCH])  # plans, and pages into memory
        found, single = self._timed(place, [[question] for question in questions])
        _, batch = self._timed(place, batches)
        return found, single, batch

    def _timed(self, place: Place, calls: Sequence[Sequence[HalfVector]]) -> tuple[Found, Timing]:
        found: Found = []
        times = []
        before = self._cpu()
        for call in calls:
            started = time.perf_counter()
            found += self._ask(place, call)
            times.append((time.perf_counter() - started) * 1000)
        cpu = (self._cpu() - before) * 1000 / sum(map(len, calls))
        return found, Timing(percentile(sorted(times), 0.5), percentile(sorted(times), 0.95), cpu)

    def _ask(self, place: Place, questions: Sequence[HalfVector]) -> Found:
        params = (list(questions), place.tenant, place.namespace, MODEL, _FLOOR, _COUNT)
        found: Found = [[] for _ in questions]
        for number, entry, similarity in self._service.execute(_PROBE, params, binary=True):
            found[int(str(number)) - 1].append((UUID(str(entry)), float(str(similarity))))
        return found

    def _writing(self, place: Place) -> tuple[float, float]:
        """CPU of Postgres, milliseconds a row: as rows come, a micro-batch a transaction, and until they are gone."""
        entries: list[UUID] = []
        vectors = self.population.vectors(_INSERTED)
        before = self._cpu()
        for start in range(0, _INSERTED, _BATCH):
            entries += insert(self.admin, [place], vectors[start : start + _BATCH])
        written = self._cpu()
        self.admin.execute("delete from cache_entries where tenant_id = %s and id = any (%s)", (place.tenant, entries))
        self.admin.execute("vacuum cache_vectors")
        return (written - before) * 1000 / _INSERTED, (self._cpu() - written) * 1000 / _INSERTED

    def _cpu(self) -> float:
        """Seconds that all of Postgres has taken."""
        return cpu_seconds(self._groups)["postgres"]


def agreement(exact: Found, found: Found, depth: int) -> float | None:
    """The share of what exact search found, of the first `depth` above the floor, that was found. None: nothing was."""
    wanted = [(number, entry) for number, one in enumerate(exact) for entry, _ in one[:depth]]
    if not wanted:
        return None
    there = [{entry for entry, _ in one} for one in found]
    return sum(entry in there[number] for number, entry in wanted) / len(wanted)


def measure(laboratory: Laboratory, sizes: Sequence[int]) -> Iterator[Row]:
    for size in sizes:
        place, vectors = new_place(laboratory.admin), laboratory.population.vectors(size)
        insert(laboratory.admin, [place], vectors)
        yield from laboratory.rows(f"{size:,} in one namespace", [place], vectors, indexed=True)
        laboratory.admin.execute("delete from tenants where id = %s", (place.tenant,))
    popular = laboratory.population.vectors(_ROWS_EACH)
    places = [new_place(laboratory.admin) for _ in range(_TENANTS)]
    shared = popular.repeat(_TENANTS, axis=0)  # each prompt at each tenant before the next one
    insert(laboratory.admin, places, shared)
    yield from laboratory.rows(f"{_TENANTS} tenants x {_ROWS_EACH:,}, same prompts", places, shared, indexed=False)


def _connect(url: str) -> Connection:
    connection = psycopg.connect(url, autocommit=True)
    connection.execute("set search_path = public, extensions")
    register_vector(connection)
    return connection


@contextmanager
def laboratory(home: Path, probes: int) -> Iterator[Laboratory]:
    server = PostgresServer(home, free_port(0))
    server.prepare()
    with running(server.command(), home / "postgres.log", server.ready, death_signal=signal.SIGKILL) as process:
        url = server.superuser_url.get_secret_value()
        migrate(url)
        opened = Laboratory(url, psutil.Process(process.pid), probes)
        try:
            yield opened
        finally:
            opened.admin.close()


def _cells(row: Row) -> list[str]:
    return [
        *(row.name, row.search, f"{row.single.p50:.2f}", f"{row.single.p95:.2f}", f"{row.single.cpu:.2f}"),
        *(f"{row.batch.p50:.1f}", f"{row.batch.p95:.1f}", f"{row.batch.cpu:.2f}"),
        *(_figure(row.recall, 3), _figure(row.recall_8, 3)),
        *(_figure(row.insert_cpu_ms, 2), _figure(row.delete_cpu_ms, 2)),
        *(_figure(row.build_cpu_s, 1), _figure(row.build_s, 1), _figure(row.index_mb, 0)),
    ]


def _figure(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.cache.scale", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, nargs="*", default=[1000, 10_000, 100_000], help="of one namespace")
    parser.add_argument("--probes", type=int, default=200, help="questions for each way of searching (default: 200)")
    asked = parser.parse_args()
    home = ROOT / STATE_DIR / "bench" / str(os.getpid())
    home.mkdir(parents=True)
    try:
        with laboratory(home, asked.probes) as opened:
            print(f"load average before: {', '.join(f'{average:.2f}' for average in os.getloadavg())}")
            rows = []
            for row in measure(opened, asked.rows):
                print(f"{row.name}: {row.search}", file=sys.stderr, flush=True)
                rows.append(row)
    finally:
        shutil.rmtree(home)
    print(table(_HEADINGS, [_cells(row) for row in rows]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
