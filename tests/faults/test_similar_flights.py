"""A batch asks the same in many spellings at once, of the whole product: one call, whatever happens to it."""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import count
from uuid import UUID

import pytest
from conftest import Tenant
from faults.conftest import apart
from faults.provider import SWIFT, Behaviour
from faults.world import World, wait_until, world
from openai import OpenAI

pytestmark = [pytest.mark.timeout(240), apart]
SPELLINGS, TWICE = 20, 2
TRIES = 3  # of a call that fails, by one worker
SETTINGS = {
    "ROUTE_CONCURRENCY": "8",
    "LEASE_SECONDS": "3",
    "RETRY_BASE_SECONDS": "0.05",
    "STOP_GRACE_SECONDS": "2",
    "HOLDOUT_SHARE": "0",
}
_numbers = count(2_000_000)


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("similar") / "world", SETTINGS) as there:
        yield there


@pytest.fixture
def number(busy: World) -> int:
    """Of a question that nobody has asked."""
    busy.provider.behave(Behaviour.ANSWER)
    busy.provider.held = frozenset()
    return next(_numbers)


@pytest.fixture
def tenant(busy: World) -> Tenant:
    return busy.tenant("similar")


def spelled(number: int, spelling: int) -> str:
    """Fingerprints heed capitals; what is asked is the same."""
    words = ["what", "is", "the", "story", "of", f"#{number}", "about?"]
    return " ".join(word.upper() if spelling >> place & 1 else word for place, word in enumerate(words))


def openai_of(there: World, tenant: Tenant) -> OpenAI:
    return OpenAI(base_url=f"{there.running.url}/v1", api_key=tenant.key, max_retries=0, timeout=60)


def submit(there: World, tenant: Tenant, number: int, **fields: object) -> str:
    """A batch of each spelling twice; its id."""
    client = openai_of(there, tenant)
    lines = [
        json.dumps(
            {
                "custom_id": f"{each}-{line}",
                "method": "POST",
                "url": "/v1/chat/completions",
                "body": {
                    "model": SWIFT,
                    "messages": [{"role": "user", "content": spelled(number, each)}],
                    **fields,
                },
            }
        )
        for line in range(TWICE)
        for each in range(SPELLINGS)
    ]
    file = client.files.create(file=("lines.jsonl", "\n".join(lines).encode()), purpose="batch")
    return client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h").id


def held_call(there: World, tenant: Tenant, number: int, **fields: object) -> str:
    """The batch's one call hangs, and all its other lines wait for it."""
    there.provider.held = frozenset({number})
    batch = submit(there, tenant, number, **fields)
    lines = SPELLINGS * TWICE - 1
    wait_until(lambda: waiting(there, tenant)["await"] + waiting(there, tenant)["follow"] == lines, "all others wait")
    wait_until(lambda: there.provider.times_called()[number] == 1, "the call")
    return batch


def waiting(there: World, tenant: Tenant) -> Counter[str]:
    rows = there.ask("select stage from jobs where tenant_id = %s and status = 'in_progress'", [tenant.id])
    return Counter(row["stage"] for row in rows)


def leader(there: World, tenant: Tenant) -> UUID:
    (row,) = there.ask(
        "select id from jobs where tenant_id = %s and status = 'in_progress' and stage = 'route'", [tenant.id]
    )
    found: UUID = row["id"]
    return found


def ends(there: World, tenant: Tenant, batch: str) -> Counter[str]:
    """How many lines were answered how, once the batch has ended; all with the same answer."""
    client = openai_of(there, tenant)
    wait_until(lambda: client.batches.retrieve(batch).status == "completed", "the batch")
    rows = there.ask("select status, answer, routing from jobs where tenant_id = %s", [tenant.id])
    assert len({row["answer"]["text"] for row in rows if row["answer"]}) == 1
    return Counter(row["routing"]["cache"] if row["routing"] else row["status"] for row in rows)


def test_a_batch_of_one_question_in_many_spellings_makes_one_call(busy: World, tenant: Tenant, number: int) -> None:
    batch = submit(busy, tenant, number)
    found = ends(busy, tenant, batch)
    assert busy.provider.times_called()[number] == 1
    assert found["miss"] == 1
    assert found["semantic"] > 0
    assert found.total() == SPELLINGS * TWICE
    wait_until(
        lambda: len(busy.ask("select id from ledger_attempts where tenant_id = %s", [tenant.id])) == found.total(),
        "the ledger",
    )
    kinds = busy.ask("select kind, count(*) from ledger_attempts where tenant_id = %s group by 1", [tenant.id])
    assert {row["kind"]: row["count"] for row in kinds if row["kind"] in {"call", "semantic_hit"}} == {
        "call": 1,
        "semantic_hit": found["semantic"],
    }


def test_lines_that_wait_are_answered_although_the_worker_that_makes_the_call_is_killed(
    busy: World, tenant: Tenant, number: int
) -> None:
    batch = held_call(busy, tenant, number)
    busy.part("route").kill()
    busy.provider.held = frozenset()
    found = ends(busy, tenant, batch)
    assert busy.provider.times_called()[number] == 2
    assert (found["miss"], found.total()) == (1, SPELLINGS * TWICE)


def test_lines_that_wait_for_a_line_that_is_cancelled_go_on_without_it(
    busy: World, tenant: Tenant, number: int
) -> None:
    batch = held_call(busy, tenant, number)
    with busy.client(tenant) as client:
        client.request("POST", f"/v1/jobs/{leader(busy, tenant)}/cancel")
    wait_until(lambda: busy.provider.times_called()[number] > 1, "another call")
    busy.provider.held = frozenset()
    found = ends(busy, tenant, batch)
    assert found["cancelled"] == 1
    assert found["await"] == found["follow"] == 0
    assert found.total() == SPELLINGS * TWICE


def test_lines_that_wait_for_a_call_that_fails_are_answered_without_it(
    busy: World, tenant: Tenant, number: int
) -> None:
    batch = held_call(busy, tenant, number, aico={"max_retries": 0, "fallback": False})
    busy.provider.spoiled[number] = TRIES
    busy.provider.held = frozenset()
    found = ends(busy, tenant, batch)
    assert found["failed"] == 1
    assert found["miss"] >= 1
    assert found.total() == SPELLINGS * TWICE
