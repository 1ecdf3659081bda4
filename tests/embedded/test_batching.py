"""What the engine does when the runtime fails, which the real one cannot be made to do."""

import asyncio
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aico.core.chat import Message, Role
from aico.core.errors import Unavailable
from aico.embedded.local_model import batching
from aico.embedded.local_model.batching import MAX_WAITING, BatchingEngine
from aico.embedded.local_model.engine import Busy, Prompt

PROMPT = Prompt(messages=(Message(role=Role.USER, content="hello"),))


class BrokenPipeline:
    """Accepts requests; fails at the first step, once `go` is set."""

    def __init__(self, *_options: object) -> None:
        self.go = threading.Event()
        self.requested = False

    def get_tokenizer(self) -> Any:
        encoded = SimpleNamespace(input_ids=SimpleNamespace(shape=[1, 5]))
        return SimpleNamespace(
            apply_chat_template=lambda *_args, **_options: "text",
            encode=lambda *_args, **_options: encoded,
            decode=lambda _tokens: "",
        )

    def get_config(self) -> Any:
        return SimpleNamespace()

    def add_request(self, *_args: object) -> Any:
        self.requested = True
        return SimpleNamespace()

    def has_non_finished_requests(self) -> bool:
        return self.requested

    def step(self) -> None:
        self.go.wait()
        raise RuntimeError("the runtime is broken")


@pytest.fixture
def failed() -> threading.Event:
    return threading.Event()


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, failed: threading.Event) -> BatchingEngine:
    runtime = SimpleNamespace(SchedulerConfig=SimpleNamespace, ContinuousBatchingPipeline=BrokenPipeline)
    monkeypatch.setattr(batching, "load_runtime", lambda: runtime)
    return BatchingEngine(Path("model"), threads=1, on_failure=failed.set)


async def ask(engine: BatchingEngine) -> None:
    async for _ in engine.answer(PROMPT):
        pytest.fail("there can be no answer")


def test_a_failure_reaches_everyone_and_ends_the_engine(engine: BatchingEngine, failed: threading.Event) -> None:
    async def scenario() -> list[BaseException | None]:
        asked = [asyncio.create_task(ask(engine)) for _ in range(12)]
        await asyncio.sleep(0.05)
        engine._pipeline.go.set()
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        return [*outcomes, *await asyncio.gather(ask(engine), return_exceptions=True)]

    outcomes = asyncio.run(scenario())
    assert len(outcomes) == 13
    assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
    assert failed.is_set()
    engine.close()


def test_more_than_may_wait_are_refused_at_once(engine: BatchingEngine) -> None:
    async def scenario() -> list[BaseException | None]:
        first = asyncio.create_task(ask(engine))
        await asyncio.sleep(0.05)  # it is now with the pipeline, the others wait
        others = [asyncio.create_task(ask(engine)) for _ in range(MAX_WAITING + 3)]
        await asyncio.sleep(0)
        engine._pipeline.go.set()
        return await asyncio.gather(first, *others, return_exceptions=True)

    outcomes = asyncio.run(scenario())
    assert [isinstance(outcome, Busy) for outcome in outcomes].count(True) == 3
    engine.close()


def test_closing_refuses_those_who_wait(engine: BatchingEngine, failed: threading.Event) -> None:
    async def scenario() -> BaseException | None:
        engine.close()
        (outcome,) = await asyncio.gather(ask(engine), return_exceptions=True)
        return outcome

    assert isinstance(asyncio.run(scenario()), Unavailable)
    assert not failed.is_set()
