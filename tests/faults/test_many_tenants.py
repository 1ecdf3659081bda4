"""Fifty tenants at once, by every door, with the same prompts and with their own: nothing of one reaches another.

Their provider numbers its answers, so that an answer says by itself from which call it is; their own prompts, and with
them the answers to those, carry the tenant's id.
"""

import asyncio
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from dotenv import dotenv_values
from faults.conftest import apart
from faults.many_tenants.audit import Checked, Ledgers, Register, answer_number, look_at_callers
from faults.many_tenants.callers import Caller, Load, Size
from faults.many_tenants.hooks import Hooks, receiving
from faults.slow_provider import Scene
from faults.world import new_tenants, owner, wait_until
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

TENANTS = 50
SHORT = Size(chats=4, streams=2, jobs=4, followed=1, responses=1, refused=1, lines=4)
LONG = Size(chats=30, streams=10, jobs=30, followed=5, responses=5, refused=3, lines=30)
_BOOKED = {"miss": "call", "bypass": "call", "exact": "exact_hit", "semantic": "semantic_hit"}

pytestmark = [pytest.mark.timeout(900), apart]


@dataclass(frozen=True)
class Aftermath:
    callers: list[Caller]
    hooks: Hooks
    ledgers: Ledgers
    register: Register
    checked: Checked
    provider_answers: list[str]  # prompts, by the number of the answer
    seconds: float


@pytest.fixture(scope="module")
def aftermath(scene: Scene) -> Iterator[Aftermath]:
    """When everything has ended, been booked and been told."""
    url = dotenv_values(scene.product.state_dir / "stack.env")["DATABASE_URL"] or ""
    tenants = new_tenants(url, "one of many", TENANTS)
    callers = [Caller(tenant) for tenant in tenants]
    size = LONG if os.environ.get("AICO_FAULTS") == "long" else SHORT
    with receiving() as hooks, owner(scene.product, url) as connection:
        lenient = "update tenants set similarity_threshold = 0.8 where id = any (%s)"  # so that much is alike
        connection.execute(lenient, ([tenant.id for tenant in tenants],))
        began = time.monotonic()
        asyncio.run(Load(scene.product.url, callers, size).run(hooks.url))
        seconds = time.monotonic() - began
        ledgers = Ledgers(connection, tenants)
        wait_until(lambda: _settled(ledgers), "bookings and deliveries", seconds=300)
        register, checked = ledgers.register(), Checked()
        yield Aftermath(callers, hooks, ledgers, register, checked, scene.echo.prompts, seconds)


def _settled(ledgers: Ledgers) -> bool:
    (row,) = ledgers.ask(
        "select (select count(*) from jobs where tenant_id = any (%(tenants)s) and finished_at is null)"
        " + (select count(*) from ledger_outbox where tenant_id = any (%(tenants)s))"
        " + (select count(*) from webhook_deliveries where tenant_id = any (%(tenants)s) and status = 'pending')"
        " as left"
    )
    return bool(row["left"] == 0)


def test_each_answer_of_the_provider_went_to_one_tenant(aftermath: Aftermath) -> None:
    register = aftermath.register
    assert [number for number, tenants in register.answers.items() if len(tenants) != 1] == []
    for caller in aftermath.callers:
        for answer in caller.answers:
            number = answer_number(answer)
            assert answer == f"Answer {number} to: {aftermath.provider_answers[number]}"
            assert register.answers[number] == {caller.tenant.id}


def test_nothing_that_anybody_was_told_or_that_is_stored_names_another_tenants(
    aftermath: Aftermath, report: Callable[[str], None]
) -> None:
    checked = Checked()
    look_at_callers(aftermath.register, checked, aftermath.callers)
    aftermath.ledgers.look(aftermath.register, checked)
    for caller in aftermath.callers:
        told = aftermath.hooks.received[f"/{caller.mark}"]
        texts = [json.dumps(dict(request.headers)) + request.body.decode() for request in told]
        checked.look(aftermath.register, "webhooks", caller.tenant.id, texts)
    sent = sum(caller.sent for caller in aftermath.callers)
    report(f"{TENANTS} tenants, {sent} prompts in {aftermath.seconds:.0f} s\n{checked.table()}")
    assert checked.crossings == []
    assert checked.names["responses, with their heads"] > sent
    assert all(checked.items[f"rows of {table}"] for table in ("jobs", "cache_entries", "ledger_attempts", "rollups"))


def test_the_check_finds_what_has_crossed(aftermath: Aftermath) -> None:
    """One response, row and answer of a tenant, shown to it as another's."""
    ours, theirs = aftermath.callers[:2]
    job = next(said.text for said in theirs.said if said.where == "POST /v1/jobs")
    for text in (job, theirs.answers[0], str(theirs.tenant.id), f"resp_{theirs.mark}"):
        checked = Checked()
        checked.look(aftermath.register, "here", ours.tenant.id, [text])
        assert checked.crossings, text


def test_ids_of_requests_are_given_once(aftermath: Aftermath) -> None:
    ids = [said.request_id for caller in aftermath.callers for said in caller.said]
    assert len(set(ids)) == len(ids)


def test_each_webhook_is_signed_for_the_tenant_that_receives_it(aftermath: Aftermath) -> None:
    stored = aftermath.ledgers.ask(
        "select tenant_id, id::text as id, status from webhook_deliveries where tenant_id = any (%(tenants)s)"
    )
    assert {row["status"] for row in stored} == {"delivered"}
    assert set(aftermath.hooks.received) == {f"/{caller.mark}" for caller in aftermath.callers}
    others = aftermath.callers[1:] + aftermath.callers[:1]
    for caller, other in zip(aftermath.callers, others, strict=True):
        told = aftermath.hooks.received[f"/{caller.mark}"]
        own = {row["id"] for row in stored if row["tenant_id"] == caller.tenant.id}
        assert {request.headers["webhook-id"] for request in told} == own
        for request in told:
            Webhook(caller.secret).verify(request.body, dict(request.headers))
            with pytest.raises(WebhookVerificationError):
                Webhook(other.secret).verify(request.body, dict(request.headers))


def test_each_tenants_counts_add_up(aftermath: Aftermath) -> None:
    ledgers = aftermath.ledgers
    jobs = ledgers.count(
        "select tenant_id, coalesce(routing ->> 'cache', status) as name, count(*) as number from jobs"
        " where tenant_id = any (%(tenants)s) group by 1, 2"
    )
    booked = ledgers.count(
        "select tenant_id, kind as name, count(*) as number from ledger_attempts"
        " where tenant_id = any (%(tenants)s) and outcome = 'ok' group by 1, 2"
    )
    rolled = ledgers.count(
        "select tenant_id, kind as name, sum(answered) as number from rollups"
        " where tenant_id = any (%(tenants)s) and grain = 'day' group by 1, 2"
    )
    for caller in aftermath.callers:
        tenant = caller.tenant.id
        assert jobs[tenant].total() == caller.sent
        assert jobs[tenant]["failed"] == caller.refused
        answered: Counter[str] = Counter()
        for name, number in (jobs[tenant] - Counter({"failed": caller.refused})).items():
            answered[_BOOKED[name]] += number
        assert booked[tenant] == answered
        assert rolled[tenant] == +answered
        assert answered["exact_hit"] > 0
        assert answered["semantic_hit"] > 0
        assert answered["call"] > 0


def test_what_is_kept_in_the_cache_was_answered_to_its_tenant(aftermath: Aftermath) -> None:
    rows = aftermath.ledgers.ask(
        "select e.tenant_id, e.answer ->> 'text' as text, j.tenant_id as asked_by"
        " from cache_entries e left join jobs j on j.id = e.job_id where e.tenant_id = any (%(tenants)s)"
    )
    assert len(rows) >= TENANTS
    for row in rows:
        assert row["asked_by"] == row["tenant_id"]
        assert aftermath.register.answers[answer_number(row["text"])] == {row["tenant_id"]}


def test_rows_that_name_a_job_are_its_tenants(aftermath: Aftermath) -> None:
    for table in ("ledger_attempts", "webhook_deliveries", "cache_entries", "idempotency_keys"):
        rows = aftermath.ledgers.ask(
            f"select t.tenant_id, j.tenant_id as of from {table} t left join jobs j on j.id = t.job_id"  # noqa: S608
            " where t.tenant_id = any (%(tenants)s) and t.job_id is not null"
        )
        assert rows, table
        assert [row for row in rows if row["tenant_id"] != row["of"]] == [], table
