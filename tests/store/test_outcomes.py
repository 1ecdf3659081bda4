"""Outcomes and the sums of them: the same however often a judgement comes, and whoever judges at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from builders import ending_of, new_job
from conftest import Tenant

from aico.core.assignment import NOT_ASSIGNED, Assigned, Treatment
from aico.core.jobs import CacheMode
from aico.core.signals import REPEATED, Signal
from aico.store import claims, feedback, jobs, outcomes
from aico.store.blocking import Database
from aico.store.outcomes import Judged, Source
from aico.store.scope import Scope

MODEL = "smollm2-135m"  # what `ending_of` says answered
LONG_AGO = date(2000, 1, 1)
PATIENCE = 600.0


class World:
    def __init__(self, database: Database, tenant: Tenant, admin: psycopg.Connection[Any]) -> None:
        self.database, self.tenant, self.scope, self.admin = database, tenant.id, Scope.tenant(tenant.id), admin

    def answer(
        self,
        prompt: str = "prompt",
        mode: CacheMode = CacheMode.EXACT,
        *signals: Signal,
        assigned: Assigned = NOT_ASSIGNED,
    ) -> UUID:
        job = replace(new_job(prompt, mode=mode), assigned=assigned)
        self.run(jobs.submit(self.tenant, [job]))
        self.admin.execute("update public.jobs set stage = 'route' where id = %s", (job.id,))
        (held,) = self.run(claims.claim(self.tenant, job.id, 30))
        ending = ending_of(held, keep=False)
        assert ending.routing is not None
        ended = replace(ending, routing=ending.routing.model_copy(update={"task": "code"}), signals=signals)
        assert self.run(claims.finish(self.tenant, [ended], 60))
        return job.id

    def judge(self, job: UUID, quality: float, source: Source, model: str = MODEL) -> list[bool]:
        return self.run(outcomes.observe(self.tenant, job, model, quality, source))

    def sums(self, model: str | None = None) -> list[Judged]:
        return self.run(outcomes.summary(self.tenant, since=LONG_AGO, model=model))

    def repeats(self, back: timedelta = timedelta(minutes=5)) -> int:
        now = datetime.now(UTC) + timedelta(seconds=1)
        look = outcomes.observe_repeats(now - back, now, patience_seconds=PATIENCE, quality=REPEATED)
        return self.database.run(Scope.system(), look)[0]

    def kept(self, job: UUID) -> list[tuple[str, float, str]]:
        query = "select model, quality, source from public.outcomes where job_id = %s order by model"
        return [tuple(row.values()) for row in self.admin.execute(query, (job,))]

    def run(self, statement: Any) -> list[Any]:
        return self.database.run(self.scope, statement)


@pytest.fixture
def world(database: Database, tenant: Tenant, admin: psycopg.Connection[Any]) -> World:
    return World(database, tenant, admin)


def judged(quality: float, source: Source = Source.USER, n: int = 1, model: str = MODEL) -> Judged:
    return Judged(model, "code", source, n, quality, quality**2)


def test_the_same_judgement_again_changes_nothing(world: World) -> None:
    job = world.answer()
    first = world.run(feedback.give(world.tenant, job, score=0.5, comment="so"))
    again = world.run(feedback.give(world.tenant, job, score=0.5, comment="so"))
    assert first == again
    assert world.sums() == [judged(0.5)]
    assert world.run(feedback.get(world.tenant, job)) == [feedback.Feedback(0.5, "so", first[0].created_at)]


def test_a_later_judgement_takes_the_place_of_the_earlier_one_in_the_sums(world: World) -> None:
    job = world.answer()
    world.judge(job, 0.25, Source.IMPLICIT)
    assert world.sums() == [judged(0.25, Source.IMPLICIT)]
    world.judge(job, 0.5, Source.JUDGE)
    assert world.sums() == [judged(0.5, Source.JUDGE)]
    world.judge(job, 0.0, Source.IMPLICIT)
    assert world.sums() == [judged(0.5, Source.JUDGE)]
    world.run(feedback.give(world.tenant, job, score=1.0, comment=None))
    assert world.sums(MODEL) == [judged(1.0)]
    assert world.sums("another") == []


def test_judgements_that_come_at_once_count_once(world: World) -> None:
    job = world.answer()
    give = [feedback.give(world.tenant, job, score=number % 2, comment=None) for number in range(32)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(world.run, give))
    ((_, quality, _),) = world.kept(job)
    assert world.sums() == [judged(quality)]


def test_how_an_answer_ended_is_noted_as_it_is_stored(world: World) -> None:
    job = world.answer("prompt", CacheMode.OFF, Signal(MODEL, 0.25), Signal("declined", 0.25))
    assert world.kept(job) == [("declined", 0.25, "implicit"), (MODEL, 0.25, "implicit")]
    assert [row.model for row in world.sums()] == ["declined", MODEL]


@pytest.mark.parametrize("again", [CacheMode.REFRESH, CacheMode.OFF])
def test_who_asks_at_once_for_another_answer_was_not_content_with_the_first(world: World, again: CacheMode) -> None:
    first, second = world.answer(), world.answer(mode=again)
    assert world.repeats() >= 1
    world.repeats()  # to look again changes nothing
    assert world.kept(first) == [(MODEL, REPEATED, "implicit")]
    assert world.kept(second) == []
    assert world.sums() == [judged(REPEATED, Source.IMPLICIT)]


def test_all_answers_before_the_repetition_are_doubted_and_none_after_it(world: World) -> None:
    before = [world.answer(), world.answer()]
    world.answer(mode=CacheMode.REFRESH)
    after = world.answer()
    world.repeats()
    assert [world.kept(job) for job in before] == [[(MODEL, REPEATED, "implicit")]] * 2
    assert world.kept(after) == []


def test_what_the_user_says_of_an_answer_stands_against_a_repetition(world: World) -> None:
    job = world.answer()
    world.judge(job, 1.0, Source.USER)
    world.answer(mode=CacheMode.REFRESH)
    world.repeats()
    assert world.kept(job) == [(MODEL, 1.0, "user")]


def test_what_is_no_repetition_says_nothing(world: World) -> None:
    for number, (earlier, later, second) in enumerate(
        (
            (CacheMode.OFF, CacheMode.OFF, "asked"),  # always without the cache: nobody has changed his mind
            (CacheMode.REFRESH, CacheMode.REFRESH, "asked"),
            (CacheMode.EXACT, CacheMode.REFRESH, "something else"),
        )
    ):
        job = world.answer(f"asked {number}", earlier)
        world.answer(f"{second} {number}", later)
        world.repeats()
        assert world.kept(job) == []


def test_a_cache_mode_that_chance_has_chosen_says_nothing(world: World) -> None:
    off = Treatment(cache=CacheMode.OFF)
    for number, assigned in enumerate(
        (Assigned(arms=("holdout/baseline",), treatment=off, direct=True), Assigned(arms=("x/a",), treatment=off))
    ):
        job = world.answer(f"asked {number}")
        world.answer(f"asked {number}", CacheMode.OFF, assigned=assigned)
        world.repeats()
        assert world.kept(job) == []
        world.answer(f"asked {number}", CacheMode.REFRESH, assigned=assigned)  # what the caller says wins
        world.repeats()
        assert world.kept(job) == [(MODEL, REPEATED, "implicit")]


def test_another_key_that_asks_the_same_says_nothing(world: World, tenant: Tenant) -> None:
    job = world.answer()
    other = world.answer(mode=CacheMode.REFRESH)
    world.admin.execute("update public.jobs set api_key_id = %s where id = %s", (tenant.key_id, other))
    world.repeats()
    assert world.kept(job) == []


def test_who_asks_much_later_says_nothing(world: World) -> None:
    job = world.answer()
    world.answer(mode=CacheMode.REFRESH)
    query = "update public.jobs set finished_at = finished_at - make_interval(secs => %s) where id = %s"
    world.admin.execute(query, (PATIENCE + 60, job))
    world.repeats()
    assert world.kept(job) == []


def test_a_tenant_that_does_not_want_it_is_passed_over_and_others_are_no_part_of_it(
    world: World, make_tenant: Callable[[], Tenant], database: Database, admin: psycopg.Connection[Any]
) -> None:
    world.admin.execute("update public.tenants set implicit_outcomes = false where id = %s", (world.tenant,))
    other = World(database, make_tenant(), admin)
    mine, theirs = world.answer(), other.answer()
    world.answer(mode=CacheMode.REFRESH)
    other.answer(mode=CacheMode.REFRESH)
    world.repeats()
    assert world.kept(mine) == []
    assert world.kept(theirs) == [(MODEL, REPEATED, "implicit")]
