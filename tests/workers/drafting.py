"""A tenant whose jobs are drafted by a cheap model, checked, and judged: the real tables and the real routing task."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from builders import new_job
from workers.catalogues import catalogue
from workers.comparing import judged, verdict
from workers.learning import Learning
from workers.provider_server import Server

from aico.core.jobs import CacheMode, Controls, Job
from aico.core.strategies import StrategyName
from aico.store import jobs
from aico.workers import learn, route

CHEAP, DEAR, JUDGE = "cheap", "dear", "judge"
RANKS = {CHEAP: 0.6, DEAR: 0.95, JUDGE: 0.2}
MODELS = catalogue(
    ((name, RANKS[name], price) for name, price in ((CHEAP, 0.1), (DEAR, 10), (JUDGE, 20))), capabilities=["sampling"]
)
BETTER = "They have 100 sheep."
SURE = "20 * 4 = 80 and 20 + 80 = 100 sheep"  # passes by what is to be seen on it
HEDGED = f"I am not sure, and I may well be wrong about this: {SURE}"  # does not


@dataclass
class Desk(Server):
    """The cheap model says `draft`, the dear one BETTER; the judge by `judging`, of the answers by place."""

    draft: str = SURE
    judging: Callable[[dict[str, str]], str] = field(default=lambda _: verdict("tie"))

    def reply(self, key: str | None) -> tuple[int, dict[str, Any]]:
        asked = self.bodies[-1]
        said = {CHEAP: self.draft, DEAR: BETTER}
        text = self.judging(judged(asked)["answers"]) if asked["model"] == JUDGE else said[asked["model"]]
        self.replies = [(200, text, "stop")]
        return super().reply(key)

    def asked_of(self, model: str) -> int:
        return sum(body["model"] == model for body in self.bodies)


@dataclass
class Drafting(Learning):
    desk: Desk = field(default_factory=Desk)

    def drafted(self, text: str, number: int = 20) -> Job:
        """A job whose draft says `text`."""
        self.desk.draft = text
        prompt = f"Ann has {number} sheep and Ben has 4 times as many. How many sheep do they have together?"
        job = new_job(prompt, mode=CacheMode.OFF, controls=Controls(strategy=StrategyName.CASCADE))
        self.run(jobs.submit(self.tenant.id, [job]))
        route.route.run(str(self.tenant.id), str(job.id))
        (ended,) = self.run(jobs.get(self.tenant.id, job.id))
        assert isinstance(ended, Job)
        return ended

    def verified(self, text: str) -> str | None:
        routing = self.drafted(text).routing
        assert routing is not None
        return routing.verified

    def learn(self) -> None:
        learn.work_on(self.runtime, self.tenant.id, RANKS)

    def logged(self, job: Job) -> dict[str, Any]:
        query = "select d.*, extensions.halfvec_send(d.embedding) as vector from decisions d where job_id = %s"
        row = self.admin.execute(query, (job.id,)).fetchone()
        assert row is not None
        return row

    def sums(self, kind: str) -> dict[str, tuple[float, dict[str, list[float]]]]:
        """By model: labels, and outcomes with the sum of their qualities by task."""
        rows = self.rows("select kind, model, labels, tasks from learner_statistics where tenant_id = %s")
        return {row["model"]: (round(row["labels"], 6), row["tasks"]) for row in rows if row["kind"] == kind}

    def of(self, other: Any) -> "Drafting":
        return replace(self, tenant=other)
