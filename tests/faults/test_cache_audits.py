"""The cache's promise, from end to end: every process of the product, a model and a judge on a server.

What is served by meaning is answered afresh and judged. Once an answer was wrong, by the judge's word or a caller's,
the next question like it is answered by a model.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from acceptance.conftest import Running, stack
from conftest import new_tenant
from dotenv import dotenv_values
from faults.conftest import apart
from faults.world import owner, wait_until
from workers.comparing import judged
from workers.provider_server import Server, serving

from aico.cli.client import Client, Json
from aico.core.access import Permission
from aico.store.blocking import Database

pytestmark = [pytest.mark.timeout(120), apart]
TELLER, JUDGE = "teller", "judge-one"
QUESTION = "which planet is the largest of them"
ENOUGH = 5  # right ones, where every second may be wrong


@dataclass
class World(Server):
    """Tells one fact in ever new words; the judge sees whether two answers tell the same one."""

    astray: set[str] = field(default_factory=set)  # questions that need another answer
    told: int = 0

    def reply(self, key: str | None) -> tuple[int, dict[str, Any]]:
        asked = self.bodies[-1]
        text = self.verdict(asked) if asked["model"] == JUDGE else self.tell(asked["messages"][-1]["content"])
        self.replies = [(200, text, "stop")]
        return super().reply(key)

    def tell(self, question: str) -> str:
        self.told += 1
        return f"{'Ganymede' if question in self.astray else 'Jupiter'}, to say it for the {self.told}th time."

    def verdict(self, asked: dict[str, Any]) -> str:
        shown = judged(asked)
        stored, fresh = (shown[name].partition(",")[0] for name in ("stored_answer", "fresh_answer"))
        return json.dumps({"reason": "so", "verdict": "same" if stored == fresh else "different"})


@dataclass(frozen=True)
class Scene:
    running: Running
    model: World
    client: Client
    database_url: str

    def ask(self, question: str) -> Json:
        found = self.client.wait(self.client.submit({"prompt": question, "model": TELLER, "cache": "semantic"})["id"])
        assert found["status"] == "completed"
        return found

    def namespace(self) -> Json:
        (found,) = self.client.request("GET", "/v1/cache/stats")["namespaces"]
        return dict(found)

    def wait_for_state(self, state: str) -> Json:
        wait_until(lambda: self.namespace()["state"] == state, f"the state {state}", 30)
        return self.namespace()

    def verdicts(self) -> list[bool]:
        """In the order of the questions."""
        with owner(self.running, self.database_url) as admin:
            rows = admin.execute("select verdict from cache_checks where status = 'judged' order by job_id").fetchall()
        return [row["verdict"] for row in rows]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("audited")
    with serving(World()) as model, stack(folder, *OPTIONS, environment=environment(folder, model)) as running:
        assert isinstance(model, World)
        url = dotenv_values(running.state_dir / "stack.env")["DATABASE_URL"] or ""
        with Client(running.url, _key(url)) as client:
            yield Scene(running, model, client, url)


def _key(url: str) -> str:
    """Of a new tenant, and it may do everything."""
    database = Database(url, max_size=1)
    database.open()
    key = new_tenant(database, tuple(Permission)).key
    database.close()
    return key


OPTIONS = ("--no-flower", "--no-local-model")


def environment(folder: Path, model: World | Server) -> dict[str, str]:
    catalogue = folder / "catalogue.toml"
    priced = '[[prices]]\nprovider = "openai_compatible"\nfrom = 2020-01-01\ninput = "1"\noutput = "1"\nmodel = '
    catalogue.write_text("".join(f'{priced}"{name}"\n' for name in (TELLER, JUDGE)))
    return {
        "DATABASE_URL": "",
        "REDIS_URL": "",
        "OPENAI_COMPATIBLE_URL": model.url,
        "OPENAI_COMPATIBLE_MODELS": f"{TELLER},{JUDGE}",
        "CATALOGUE_FILE": str(catalogue),
        "JUDGE_MODEL": JUDGE,
        "CACHE_AUDIT_SHARE": "1",  # or few hits are audited where half of them may be wrong
        "SHADOW_RATE": "0",
        "HOLDOUT_SHARE": "0",
    }


def spelled(number: int) -> str:
    """The question in other words, as far as its canonical form goes: some in capitals."""
    words = QUESTION.split()
    return " ".join(word.upper() if number >> place & 1 else word for place, word in enumerate(words)) + "?"


def test_what_was_wrong_is_noticed_and_the_next_question_like_it_is_answered_afresh(scene: Scene) -> None:
    assert scene.ask(spelled(0))["routing"]["cache"] == "miss"
    hits = [scene.ask(spelled(number)) for number in range(1, ENOUGH + 1)]
    assert [hit["routing"]["cache"] for hit in hits] == ["semantic"] * ENOUGH
    assert {hit["answer"]["text"] for hit in hits} == {"Jupiter, to say it for the 1th time."}
    wait_until(lambda: scene.verdicts() == [True] * ENOUGH, "verdicts on what was served", 30)
    assert scene.model.told == 1 + ENOUGH  # nobody was shown the others

    scene.client.request("PATCH", "/v1/tenant", json={"max_error_rate": 0.5})
    trusted = scene.wait_for_state("serving")
    assert (trusted["judged"], trusted["above"], trusted["wrong"]) == (ENOUGH, ENOUGH, 0)
    assert 0 < trusted["bound"] < 0.5 == trusted["target"]

    scene.model.astray = {spelled(10)}
    assert scene.ask(spelled(10))["routing"]["cache"] == "semantic"
    alarmed = scene.wait_for_state("probation")
    assert (alarmed["judged"], alarmed["cut"], alarmed["bound"]) == (ENOUGH + 1, None, None)
    assert scene.ask(spelled(11))["routing"]["cache"] == "miss"
    recovered = scene.wait_for_state("learning")  # that answer was compared with the kept one, and says the same
    assert recovered["judged"] == ENOUGH + 2

    served = scene.ask(spelled(12))
    assert served["routing"]["cache"] == "semantic"
    scene.client.request("POST", "/v1/feedback", json={"job_id": served["id"], "score": 0})
    scene.wait_for_state("probation")
    assert scene.ask(spelled(13))["routing"]["cache"] == "miss"
