"""Jobs that are not answered at the first try: put back, held, cancelled, given up, replayed."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID, uuid4

import psycopg
import pytest
from builders import ending_of, new_job, passed
from conftest import Postgres, Tenant

from aico.core.attempts import Attempt, AttemptKind, AttemptOutcome, Call
from aico.core.ids import new_id
from aico.core.jobs import CacheMode, Job, JobClass, JobError, JobStatus, Stage
from aico.core.usage import Usage
from aico.store import backlog, claims, dead_letters, embeddings, jobs
from aico.store.blocking import Database
from aico.store.claims import Claim, PutBack
from aico.store.dead_letters import Filter
from aico.store.jobs import NewJob
from aico.store.scope import Scope

SECOND = 1.0


def store(database: Database, tenant: Tenant, *new: NewJob) -> list[jobs.Submitted]:
    return database.run(Scope.tenant(tenant.id), jobs.submit(tenant.id, new))


def claim(database: Database, tenant: Tenant, job: UUID, lease: float = 30) -> list[Claim]:
    return database.run(Scope.tenant(tenant.id), claims.claim(tenant.id, job, lease))


def read(database: Database, tenant: Tenant, job: UUID) -> Job:
    (found,) = database.run(Scope.tenant(tenant.id), jobs.get(tenant.id, job))
    return found


def put(database: Database, tenant: Tenant, back: PutBack) -> list[claims.Held]:
    return database.run(Scope.tenant(tenant.id), claims.put_back(back))


def routed(prompt: str) -> NewJob:
    return new_job(prompt, mode=CacheMode.EXACT)


def attempt() -> Attempt:
    return Attempt(
        id=new_id(),
        at=datetime.now(UTC),
        kind=AttemptKind.CALL,
        outcome=AttemptOutcome.RETRYABLE,
        provider="local",
        model="smollm2-135m",
        latency_ms=5,
    )


@pytest.fixture
def booked(postgres: Postgres) -> Callable[[UUID], list[tuple[str, str, Decimal | None]]]:
    """Outcome, model and cost of a job's attempts that wait to be booked."""

    def find(job: UUID) -> list[tuple[str, str, Decimal | None]]:
        with psycopg.connect(postgres.admin_url) as connection:
            query = "select outcome, model, cost_cents from ledger_outbox where job_id = %s order by at"
            return connection.execute(query, (job,)).fetchall()

    return find


def failed(database: Database, tenant: Tenant, prompt: str, code: str = "boom") -> UUID:
    job = routed(prompt)
    store(database, tenant, job)
    (held,) = claim(database, tenant, job.id)
    error = JobError(code=code, message="it did not work")
    ending = claims.Ending(job.id, held.fence, JobStatus.FAILED, error=error)
    assert database.run(Scope.tenant(tenant.id), claims.finish(tenant.id, [ending], 60))
    return job.id


def test_a_job_put_back_is_held_until_it_is_due(database: Database, tenant: Tenant) -> None:
    job = routed("held")
    store(database, tenant, job)
    (held,) = claim(database, tenant, job.id)
    (back,) = put(database, tenant, PutBack(held, "no_answer", "503", pause_seconds=0.3, counts=True))
    assert back.run_after is not None
    assert claim(database, tenant, job.id) == []
    assert job.id not in {ready.id for ready in database.run(Scope.system(), backlog.due(limit=1000))}
    lost = backlog.lost_bells(list(JobClass), quiet_seconds=0, silent_seconds=0, limit=10_000)
    assert job.id not in {one.job.id for one in database.run(Scope.system(), lost)}
    time.sleep(0.35)
    (due,) = [ready for ready in database.run(Scope.system(), backlog.due(limit=1000)) if ready.id == job.id]
    assert due.stage is Stage.ROUTE
    (again,) = claim(database, tenant, job.id)
    assert (again.retries, again.taken_over) == (1, False)


def test_why_a_job_was_put_back_is_its_history(database: Database, tenant: Tenant) -> None:
    job = routed("history")
    store(database, tenant, job)
    (held,) = claim(database, tenant, job.id)
    put(database, tenant, PutBack(held, "no_answer", "the provider answered 503", counts=True))
    (held,) = claim(database, tenant, job.id)
    put(database, tenant, PutBack(held, "worker_stopped", "its worker was told to stop"))
    (held,) = claim(database, tenant, job.id, lease=0.01)
    time.sleep(0.02)
    assert claim(database, tenant, job.id)
    found = read(database, tenant, job.id)
    assert [entry.reason for entry in found.history] == ["no_answer", "worker_stopped", "worker_lost"]
    assert found.history[0].message == "the provider answered 503"
    assert found.retries == 1


def test_a_history_does_not_grow_for_ever(database: Database, tenant: Tenant) -> None:
    job = routed("long history")
    store(database, tenant, job)
    for number in range(55):
        (held,) = claim(database, tenant, job.id)
        put(database, tenant, PutBack(held, "rate_limited", f"wait {number}"))
    assert len(read(database, tenant, job.id).history) == 50


def test_only_the_holder_puts_back_and_what_others_spent_is_booked(
    database: Database, tenant: Tenant, booked: Callable[[UUID], list[tuple[str, str, Decimal | None]]]
) -> None:
    job = routed("stale")
    store(database, tenant, job)
    (first,) = claim(database, tenant, job.id, lease=0.01)
    time.sleep(0.02)
    (second,) = claim(database, tenant, job.id)
    assert put(database, tenant, PutBack(first, "no_answer", "late", attempts=(attempt(),))) == []
    assert read(database, tenant, job.id).status is JobStatus.IN_PROGRESS
    assert len(booked(job.id)) == 1
    assert database.run(Scope.tenant(tenant.id), claims.finish(tenant.id, [ending_of(second)], 60))


def test_a_reserved_place_is_handed_to_the_next_claim_alone(database: Database, tenant: Tenant) -> None:
    job = routed("reserved")
    store(database, tenant, job)
    (held,) = claim(database, tenant, job.id)
    put(database, tenant, PutBack(held, "rate_limited", "wait", reserved_model="gpt-5.4"))
    (held,) = claim(database, tenant, job.id)
    assert held.reserved_model == "gpt-5.4"
    put(database, tenant, PutBack(held, "no_answer", "503"))
    assert claim(database, tenant, job.id)[0].reserved_model is None


def test_a_call_is_known_to_whoever_takes_over(database: Database, tenant: Tenant) -> None:
    job = routed("noted")
    store(database, tenant, job)
    (held,) = claim(database, tenant, job.id, lease=0.05)
    call = Call(provider="openai", model="gpt-5.4", at=datetime.now(UTC), cents=Decimal("0.25"))
    database.run(Scope.tenant(tenant.id), claims.note([(held, call)], []))
    time.sleep(0.1)
    (taken,) = claim(database, tenant, job.id)
    assert taken.interrupted == call


def test_a_call_whose_job_is_given_up_is_booked_as_lost(
    database: Database, tenant: Tenant, booked: Callable[[UUID], list[tuple[str, str, Decimal | None]]]
) -> None:
    known, unknown, never = routed("known"), routed("unknown"), new_job("never called", timeout_seconds=0.01)
    store(database, tenant, known, unknown, never)
    (held,) = claim(database, tenant, known.id, lease=0.01)
    call = Call(provider="openai", model="gpt-5.4", at=datetime.now(UTC), cents=Decimal("0.25"))
    database.run(Scope.tenant(tenant.id), claims.note([(held, call)], []))
    claim(database, tenant, unknown.id, lease=0.01)
    time.sleep(0.05)
    ended = database.run(Scope.system(), backlog.end_overdue(max_losses=1, limit=10_000))
    assert {known.id, unknown.id, never.id} <= {one.id for one in ended}
    assert booked(known.id) == [("lost", "gpt-5.4", Decimal("0.250000"))]
    assert booked(unknown.id) == [("lost", "unknown", None)]
    assert booked(never.id) == []


@pytest.mark.parametrize("state", ["waiting to be embedded", "waiting for a route", "held", "called"])
def test_a_job_is_cancelled_in_any_state_and_stays_so(database: Database, tenant: Tenant, state: str) -> None:
    job = new_job("cancel me") if state == "waiting to be embedded" else routed("cancel me")
    store(database, tenant, job)
    held: list[Claim] = []
    if state in {"held", "called"}:
        held = claim(database, tenant, job.id)
    if state == "held":
        put(database, tenant, PutBack(held[0], "no_answer", "503", pause_seconds=60))
    scope = Scope.tenant(tenant.id)
    found = database.run(scope, embeddings.to_embed(tenant.id, [job.id], 0.95))
    (cancelled,) = database.run(scope, jobs.cancel(tenant.id, job.id))
    assert cancelled.cancelled
    assert read(database, tenant, job.id).status is JobStatus.CANCELLED
    assert claim(database, tenant, job.id) == []
    assert database.run(scope, embeddings.advance(tenant.id, passed(found, [None] * len(found)), "variant")) == []
    assert database.run(scope, claims.renew(held, 30)) == []
    for one in held:
        assert database.run(scope, claims.finish(tenant.id, [ending_of(one)], 60)) == []
    (again,) = database.run(scope, jobs.cancel(tenant.id, job.id))
    assert (again.cancelled, again.before) == (False, JobStatus.CANCELLED)


def test_what_has_ended_is_not_cancelled(database: Database, tenant: Tenant) -> None:
    job = failed(database, tenant, "ended")
    (found,) = database.run(Scope.tenant(tenant.id), jobs.cancel(tenant.id, job))
    assert (found.cancelled, found.before) == (False, JobStatus.FAILED)
    assert database.run(Scope.tenant(tenant.id), jobs.cancel(tenant.id, uuid4())) == []


def test_a_letter_is_replayed_once_as_a_job_of_its_own(database: Database, tenant: Tenant) -> None:
    letter = failed(database, tenant, "letter")
    scope = Scope.tenant(tenant.id)
    replay = dead_letters.replay(tenant.id, Filter(ids=[letter]), [new_id()], None)
    (replayed,) = database.run(scope, replay)
    assert database.run(scope, dead_letters.replay(tenant.id, Filter(ids=[letter]), [new_id()], None)) == []
    old, new = read(database, tenant, letter), read(database, tenant, replayed.new)
    assert (old.status, old.replayed_as) == (JobStatus.FAILED, new.id)
    assert (new.status, new.replay_of, new.admitted) == (JobStatus.QUEUED, letter, False)
    questions = [database.run(scope, jobs.question(tenant.id, one.id)) for one in (old, new)]
    assert questions[0] == questions[1] != []
    assert new.deadline - new.created_at == old.deadline - old.created_at
    assert new.id in {ready.id for ready in database.run(Scope.system(), backlog.admit())}
    assert claim(database, tenant, new.id)


def test_letters_are_chosen_by_what_they_are(
    database: Database, tenant: Tenant, make_tenant: Callable[[], Tenant]
) -> None:
    letters = [failed(database, tenant, f"letter {code}", code) for code in ("a", "b", "a")]
    foreign = failed(database, make_tenant(), "another tenant's", "a")
    scope = Scope.tenant(tenant.id)

    def dead(**filters: str) -> list[UUID]:
        found = dead_letters.page(
            tenant.id, after=None, status=None, job_class=None, error_code=filters.get("code"), limit=10
        )
        return [job.id for job in database.run(scope, found)]

    assert dead() == letters[::-1]
    assert dead(code="b") == [letters[1]]
    chosen = Filter(error_code="a", metadata={"team": "a"})
    assert database.run(scope, dead_letters.replay(tenant.id, Filter(metadata={"team": "b"}), [new_id()], None)) == []
    (first,) = database.run(scope, dead_letters.replay(tenant.id, chosen, [new_id()], None))
    assert first.old == letters[0]
    rest = database.run(scope, dead_letters.replay(tenant.id, chosen, [new_id() for _ in range(5)], None))
    assert [one.old for one in rest] == [letters[2]]
    assert dead() == [letters[1]]
    assert database.run(scope, dead_letters.replay(tenant.id, Filter(ids=[foreign]), [new_id()], None)) == []


def aged(job: UUID, days: int) -> UUID:
    """The id as it would be if the job had been made so many days earlier: an id of version 7 tells its age."""
    return UUID(int=job.int - (days * 86_400_000 << 80))


def test_what_ended_long_ago_is_deleted_and_nothing_else(
    database: Database, tenant: Tenant, postgres: Postgres
) -> None:
    made, recent, living = failed(database, tenant, "old"), failed(database, tenant, "recent"), routed("alive")
    store(database, tenant, living)
    old, alive = aged(made, 40), aged(living.id, 40)
    with psycopg.connect(postgres.admin_url, autocommit=True) as connection:
        connection.execute(
            "update jobs set id = i.older, created_at = created_at - interval '40 days',"
            " finished_at = finished_at - interval '40 days' from unnest(%s::uuid[], %s::uuid[]) i (id, older)"
            " where jobs.id = i.id",
            ([made, living.id], [old, alive]),
        )
    assert database.run(Scope.system(), backlog.purge(kept_days=30, limit=100))[0] >= 1
    left = {job for job in (old, recent, alive) if database.run(Scope.tenant(tenant.id), jobs.get(tenant.id, job))}
    assert left == {recent, alive}


def test_equal_questions_that_end_together_keep_one_answer(database: Database, tenant: Tenant) -> None:
    twins = [replace(new_job("twin", mode=CacheMode.REFRESH), searchable=False) for _ in range(2)]  # each makes a call
    store(database, tenant, *twins)
    endings = [ending_of(claim(database, tenant, twin.id)[0]) for twin in twins]
    ended = database.run(Scope.tenant(tenant.id), claims.finish(tenant.id, endings, 60))
    assert {one.id for one in ended} == {twin.id for twin in twins}
    assert store(database, tenant, routed("twin"))[0].answer is not None


def test_an_answer_with_characters_that_cannot_be_stored_is_stored_without_them(
    database: Database, tenant: Tenant
) -> None:
    job = routed("nul")
    store(database, tenant, job)
    (held,) = claim(database, tenant, job.id)
    spent = attempt().model_copy(update={"usage": Usage(output=3, raw={"note": "a\x00b", "kept": "\\u0000"})})
    ending = replace(ending_of(held, text="a\x00\x00b \\u0000 \\\x00"), attempts=(spent,))
    assert database.run(Scope.tenant(tenant.id), claims.finish(tenant.id, [ending], 60))
    answer = read(database, tenant, job.id).answer
    assert answer is not None
    assert answer.text == "a\ufffd\ufffdb \\u0000 \\\ufffd"
