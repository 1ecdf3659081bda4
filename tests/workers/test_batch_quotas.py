"""Lines of a batch for which a quota has no room: each is answered as if it had been sent alone, and none is lost."""

import pytest
from quotaing import MONTHLY_TOKENS, Budgets, paid
from workers.batching import Scene, line, scene

from aico.core.jobs import JobStatus
from aico.core.quotas import Period, Quota, Unit

__all__ = ["scene"]

A_LINE = 14 + 10  # tokens that are expected of one


@pytest.fixture
def budgets(scene: Scene) -> Budgets:
    return Budgets(scene.runtime.database, scene.tenant.id)


def lines(count: int) -> list[dict[str, object]]:
    return [line(str(number), max_tokens=10) for number in range(count)]


def test_lines_beyond_the_quota_are_refused_and_the_rest_is_answered(scene: Scene, budgets: Budgets) -> None:
    budgets.limit(MONTHLY_TOKENS, 5 * A_LINE)
    batch = scene.taken_in(lines(8))
    jobs = scene.jobs(batch)
    assert [job.custom_id for job in jobs] == ["0", "1", "2", "3", "4"]
    assert budgets.figures() == (0, 5 * A_LINE)
    for job in jobs:
        budgets.end(job.id, paid("0", 20))
    ended = scene.finish(batch)
    assert (ended.status.value, ended.completed, ended.failed) == ("completed", 5, 3)
    refused = scene.content(ended.error_file_id)
    assert [one["custom_id"] for one in refused] == ["5", "6", "7"]
    for one in refused:
        assert one["error"] is None
        assert one["response"]["status_code"] == 402
        error = one["response"]["body"]["error"]
        assert (error["type"], error["code"]) == ("insufficient_quota", "budget_exceeded")
        assert "may use 120 tokens a month" in error["message"]
    assert budgets.figures() == (100, 0)


def test_a_minute_without_room_is_said_as_such(scene: Scene, budgets: Budgets) -> None:
    budgets.limit(Quota("tenant", Period.MINUTE, Unit.TOKENS), A_LINE - 1)
    budgets.limit(Quota("tenant", Period.MINUTE, Unit.REQUESTS), 1)
    batch = scene.taken_in([line("small", max_tokens=1), line("large", max_tokens=10), line("late", max_tokens=1)])
    for job in scene.jobs(batch):
        scene.fail(job)
    refused = {one["custom_id"]: one["response"] for one in scene.content(scene.finish(batch).error_file_id)}
    assert refused["large"]["status_code"] == 402, "no minute has room for it"
    assert refused["late"]["body"]["error"]["code"] in {"rate_limit_exceeded", "no_answer"}  # a minute may have ended


def test_a_cancelled_batch_gives_back_what_its_lines_reserved(scene: Scene, budgets: Budgets) -> None:
    budgets.limit(MONTHLY_TOKENS, 10 * A_LINE)
    batch = scene.taken_in(lines(4))
    assert budgets.figures() == (0, 4 * A_LINE)
    scene.sql("update batches set status = 'cancelling', ending = 'cancelled' where id = %(b)s", b=batch)
    ended = scene.finish(batch)
    assert ended.status.value == "cancelled"
    assert {job.status for job in scene.jobs(batch)} == {JobStatus.CANCELLED}
    assert budgets.figures() == (0, 0)
