"""A provider that fails as it is told, another that answers, and what is learned: for the tests of failures."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any  # the scripted server is a fixture: conftest cannot be imported

import pytest
from pydantic import SecretStr

from aico.core.attempts import Attempt, AttemptOutcome
from aico.core.chat import ChatRequest, Message, Role
from aico.routing.breaker import Entry, Kind, Mark, Marks, Scope
from aico.routing.catalogue import Catalogue
from aico.routing.dispatcher import Dispatcher
from aico.routing.models import Model
from aico.routing.prices import PriceBook
from aico.routing.providers.profiles import PROFILE_BY_NAME
from aico.routing.providers.provider import Provider
from aico.routing.retrying import RetryPolicy, Timing
from aico.routing.run import Dispatched

REQUEST = ChatRequest(messages=(Message(role=Role.USER, content="Hello"),))
KEY = "house-credential-1234"
WIRES = {"openai": "gpt-5.4-nano", "anthropic": "claude-haiku-4-5", "google": "gemini-2.5-flash"}
every_wire = pytest.mark.parametrize("name", list(WIRES))
FALLBACK = {
    "model": "house",
    "choices": [{"message": {"content": "From the other"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2},
}
FALLBACK_EVENTS = (
    {"model": "house", "choices": [{"delta": {"content": "From the other"}, "finish_reason": "stop"}]},
    {"choices": [], "usage": FALLBACK["usage"]},
    "[DONE]",
)
OPENAI_TEXT = {"choices": [{"delta": {"content": "Hel"}}]}
ANTHROPIC_START = {"type": "message_start", "message": {"model": "m", "usage": {"input_tokens": 9, "output_tokens": 1}}}
ANTHROPIC_TEXT = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}}
GOOGLE_TEXT = {"candidates": [{"content": {"parts": [{"text": "Hel"}]}}], "usageMetadata": {"promptTokenCount": 9}}
FIRST_PIECE: dict[str, tuple[dict[str, Any], ...]] = {
    "openai": (OPENAI_TEXT,),
    "anthropic": (ANTHROPIC_START, ANTHROPIC_TEXT),
    "google": (GOOGLE_TEXT,),
}
ERROR_EVENT: dict[str, dict[str, Any]] = {
    "openai": {"error": {"message": "too hot", "type": "server_error"}},
    "anthropic": {"type": "error", "error": {"type": "overloaded_error", "message": "too hot"}},
    "google": {"error": {"code": 503, "status": "UNAVAILABLE", "message": "too hot"}},
}


class Recorder:
    """A breaker that lets everything through and keeps what it is told of the first candidate."""

    def __init__(self) -> None:
        self.told: list[tuple[Marks, str]] = []

    def enter(self, scopes: Any, lease: float) -> Entry:
        assert lease > 0
        return Entry(tuple(scopes))

    def leave(self, entry: Entry, marks: Marks, said: str = "") -> None:
        (scope,) = [scope for scope in entry.scopes if scope.kind is Kind.MODEL]
        if scope != Scope(Kind.MODEL, "openai_compatible", None, "house"):
            self.told.append((marks, said))

    @property
    def bad(self) -> set[Kind]:
        return {kind for marks, _ in self.told for kind, mark in marks.items() if mark is Mark.BAD}


@dataclass
class Scene:
    server: Any
    name: str
    model: Model
    dispatcher: Dispatcher
    breaker: Recorder
    house: Model
    recorded: list[Attempt]
    deltas: list[str]

    def dispatch(self, *, stream: bool = False) -> Dispatched:
        return self.dispatcher.dispatch(
            REQUEST,
            [self.model, self.house],
            deadline=100.0,
            record=self.recorded.append,
            should_stop=lambda: False,
            on_delta=self.deltas.append if stream else None,
        )

    def falls_back(self, *, stream: bool = False) -> Attempt:
        """The first candidate's one attempt; the second has answered."""
        answer = self.server.stream(*FALLBACK_EVENTS) if stream else self.server.respond(200, FALLBACK)
        self.server.play(answer)
        assert self.dispatch(stream=stream).completion.text == "From the other"
        failed, answered = self.recorded
        assert (answered.model, answered.outcome) == ("house", AttemptOutcome.OK)
        assert (failed.model, failed.cost_cents, failed.usage.total) == (self.model.id, None, 0)
        assert KEY not in (failed.error or "")
        return failed


Play = Callable[..., Scene]


@contextmanager
def scenes(server: Any, catalogue: Catalogue, make_model: Callable[..., Model]) -> Iterator[Play]:
    with ExitStack() as opened:

        def make(name: str, url: str | None = None, timeout: float = 5.0) -> Scene:
            first = replace(PROFILE_BY_NAME[name], base_url=url or server.url)
            second = replace(PROFILE_BY_NAME["openai_compatible"], base_url=server.url)
            providers = {
                profile.name: opened.enter_context(closing(Provider(profile, SecretStr(KEY), max_connections=1)))
                for profile in (first, second)
            }
            breaker = Recorder()
            dispatcher = Dispatcher(
                providers,
                PriceBook(catalogue),
                RetryPolicy(tries=1, attempt_timeout=timeout),
                Timing(clock=lambda: 0.0),
                breaker=breaker,
            )
            model = make_model(WIRES[name], provider=name)
            house = make_model("house", provider="openai_compatible")
            return Scene(server, name, model, dispatcher, breaker, house, [], [])

        yield make
