"""A provider that plays a script in a time that only waits and calls move: what the tests of dispatching share."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from pydantic import SecretStr

from aico.core.attempts import Attempt
from aico.core.chat import ChatRequest, Completion, FinishReason, Message, Role
from aico.core.settings import Settings
from aico.core.usage import Usage
from aico.routing.breaker import Breaker
from aico.routing.catalogue import Catalogue
from aico.routing.dispatcher import Dispatcher
from aico.routing.models import Model
from aico.routing.pacing import Pacer
from aico.routing.prices import PriceBook
from aico.routing.providers.credential import Credential, Credentials, operators
from aico.routing.providers.failures import FailureKind, ProviderError
from aico.routing.providers.transport import CallStopped
from aico.routing.providers.wire import CacheHint
from aico.routing.retrying import RetryPolicy, Timing
from aico.routing.run import Caching, Dispatched, nothing_kept

REQUEST = ChatRequest(messages=(Message(role=Role.USER, content="Hello"),))
CATALOGUE = Catalogue.from_settings(Settings.model_construct())
PRICES = PriceBook(CATALOGUE)
BUSY = ProviderError(FailureKind.RETRYABLE, "HTTP 503: busy", http_status=503)
REFUSED = ProviderError(FailureKind.FATAL, "HTTP 400: refused", http_status=400)
USAGE = Usage(input_uncached=1_000, output=100)
SMALL, LARGE = (
    next(model for model in CATALOGUE.all_models if model.id == name) for name in ("gpt-5.4-nano", "gpt-5.4")
)

Step = Exception | Completion | tuple[str, ...]


def answer(text: str = "Hi", usage: Usage = USAGE) -> Completion:
    return Completion(text=text, finish_reason=FinishReason.STOP, model="m", usage=usage)


def wait(seconds: float) -> ProviderError:
    return ProviderError(FailureKind.RETRYABLE, "HTTP 429: slow down", http_status=429, retry_after=seconds)


class World:
    """One provider that plays a script, a clock that only moves when somebody waits or calls, and what was recorded."""

    def __init__(self, *script: Step, call_seconds: float = 1.0) -> None:
        self.script = list(script)
        self.call_seconds = call_seconds
        self.time = 0.0
        self.waited: list[float] = []  # between the calls
        self.slept = 0.0
        self.asked: list[tuple[str, float]] = []
        self.announced: list[tuple[str, int]] = []  # models, and the calls that were made before
        self.keys: list[str | None] = []  # that calls were made with; None: the operator's
        self.kept: list[CacheHint | None] = []  # what each call was told about caching
        self.empty_for: float | None = None  # seconds until something is left, as each answer's headers say
        self.recorded: list[Attempt] = []
        self.deltas: list[str] = []
        self.stop = self.stop_after_sleep = self.stop_after_delta = False

    address = None  # of no server

    def send_message(
        self,
        request: ChatRequest,
        model: Model,
        *,
        timeout: float,
        on_delta: Callable[[str], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
        api_key: SecretStr | None = None,
        on_empty: Callable[[float], None] | None = None,
        caching: CacheHint | None = None,
    ) -> Completion:
        assert request is REQUEST
        assert should_stop is not None
        assert on_empty is not None
        self.kept.append(caching)
        if self.empty_for is not None:
            on_empty(self.empty_for)
        self.keys.append(None if api_key is None else api_key.get_secret_value())
        self.waited.append(self.slept)
        self.slept = 0.0
        self.asked.append((model.id, timeout))
        self.time += self.call_seconds
        step = self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        if isinstance(step, tuple):
            assert on_delta is not None
            for delta in step:
                on_delta(delta)
                if should_stop():
                    raise CallStopped(USAGE)
            raise ProviderError(FailureKind.RETRYABLE, "broken off", content_started=True, usage=USAGE)
        if on_delta is not None and step.text:
            on_delta(step.text)
        return step

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.time += seconds
        self.stop = self.stop_after_sleep

    def keep(self, delta: str) -> None:
        self.deltas.append(delta)
        self.stop = self.stop_after_delta

    def dispatch(
        self,
        *candidates: Model,
        deadline: float = 100.0,
        stream: bool = False,
        pacer: Pacer | None = None,
        tokens: int = 0,
        reserved: str | None = None,
        credentials: Credentials = operators,
        breaker: Breaker | None = None,
        keys: Sequence[Credential] = (),
        caching: Caching = nothing_kept,
        check: Callable[[Completion], bool] | None = None,
        afford: Callable[[Model], None] = lambda _: None,
    ) -> Dispatched:
        def starting(model: Model) -> None:
            afford(model)
            self.announced.append((model.id, len(self.asked)))

        timing = Timing(
            clock=lambda: self.time,
            now=lambda: datetime(2026, 11, 20, tzinfo=UTC),
            sleep=self.sleep,
            uniform=lambda: 1.0,
        )
        dispatcher = Dispatcher(
            {"openai": self}, PRICES, RetryPolicy(attempt_timeout=30), timing, pacer, breaker, {"openai": keys}
        )
        return dispatcher.dispatch(
            REQUEST,
            candidates or (SMALL, LARGE),
            deadline=deadline,
            record=self.recorded.append,
            should_stop=lambda: self.stop,
            on_delta=self.keep if stream else None,
            tokens=tokens,
            reserved=reserved,
            credentials=credentials,
            caching=caching,
            starting=starting,
            check=check,
        )

    def outcomes(self) -> list[tuple[str, str]]:
        return [(attempt.model, attempt.outcome.value) for attempt in self.recorded]
