"""Who answers a pair's question too, who judges, what all of it may cost; and the calls, one at a time."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Protocol

from aico.core.attempts import Attempt, AttemptKind, AttemptOutcome, KeySource
from aico.core.chat import AUTO_MODEL, ChatRequest, Completion
from aico.core.comparing import Comparing, Wishes
from aico.core.errors import AicoError
from aico.core.ids import new_id
from aico.core.key_encryption import key_encryption
from aico.core.money import round_cents
from aico.core.settings import Settings
from aico.core.usage import Usage
from aico.routing.catalogue import Catalogue
from aico.routing.dispatcher import Dispatcher
from aico.routing.features import extract_features
from aico.routing.judging import rival_request
from aico.routing.models import Model
from aico.routing.pacing import Pacer
from aico.routing.prices import PriceBook
from aico.routing.providers.credential import operator_keys
from aico.routing.providers.provider import open_providers
from aico.routing.retrying import RetryPolicy
from aico.routing.strategies.protocol import PricedModel, able, among
from aico.routing.tokens import estimate_input_tokens
from aico.store.provider_keys import TenantKey
from aico.store.shadow_pairs import HeldPair, PairCall
from aico.workers.keyring import Keyring
from aico.workers.purposes import WORK, NotCompared, Turn

CONNECTIONS = 8
MARGIN = Decimal("1.1")  # of what is put aside, because tokens are estimated
_PATIENCE_SECONDS = 30.0  # for a place in a rate limit


class OnBehalf(Protocol):
    """On whose behalf models are asked."""

    @property
    def keys(self) -> Mapping[str, TenantKey]: ...

    @property
    def models(self) -> frozenset[str] | None: ...

    @property
    def wishes(self) -> Wishes: ...

    @property
    def reserved(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Plan:
    rival: Model
    judge: Model
    question: ChatRequest  # for the rival
    rival_cents: Decimal  # at most; and of one of the judge's calls
    judge_cents: Decimal
    comparing: Comparing

    def cents_left(self, held: HeldPair) -> Decimal:
        """Of the calls that have not been made."""
        verdicts = len(WORK[held.purpose].turns(held))
        return (0 if held.answer is not None else self.rival_cents) + verdicts * self.judge_cents


class Comparer:
    """Everything that stays the same from pair to pair. Thread-safe."""

    def __init__(self, settings: Settings, pacer: Pacer | None = None) -> None:
        self._settings = settings
        self._catalogue = Catalogue.from_settings(settings)
        self._prices = PriceBook(self._catalogue)
        self._keyring = Keyring(key_encryption(settings))
        self._providers = open_providers(settings, max_connections=CONNECTIONS, for_tenants=True)
        # One try a call, so that a call is an attempt: what fails is tried again later, by whoever claims the pair.
        policy = RetryPolicy(tries=1, attempt_timeout=settings.attempt_timeout_seconds)
        # With the keys' own names: what is asked here is taken from the same rate limits as the jobs' calls.
        self._dispatcher = Dispatcher(self._providers, self._prices, policy, pacer=pacer, keys=operator_keys(settings))

    def close(self) -> None:
        for provider in self._providers.values():
            provider.close()

    def plan(self, held: HeldPair) -> Plan:
        """Raises NotCompared."""
        work = WORK[held.purpose]
        work.check(held)
        comparing = Comparing.of(self._settings, held.wishes)
        models = self.contenders(held, comparing)
        served = next((model for model in self._catalogue.all_models if model.id == held.served), None)
        judge = next((model for model in models if model.id == (held.judge or comparing.judge)), None)
        if comparing.judge is None or judge is None or served is None:
            raise NotCompared("no_judge" if served is not None else "model_gone")
        others = models if held.answer is None else self._catalogue.all_models  # who has answered is asked nothing more
        rival = self._rival(held, served, [model for model in others if work.judge_answers or model.id != judge.id])
        question = rival_request(held.request, rival, held.given.output_tokens)
        room = question.max_tokens or rival.max_output
        rival_cents = self._cents(rival, estimate_input_tokens(question.messages), room)
        # With the served answer twice it is at least as long as with nothing; the rival's is at most `room` tokens.
        asked = work.asks(judge, held, Turn.FIRST)
        tokens = estimate_input_tokens(asked.messages) + (0 if held.answer is not None else room)
        judge_cents = self._cents(judge, tokens, asked.max_tokens or judge.max_output)
        if tokens + (asked.max_tokens or 0) > judge.context_window:
            raise NotCompared("too_long")
        if rival_cents is None or judge_cents is None:
            raise NotCompared("price_unknown")
        return Plan(rival, judge, question, rival_cents, judge_cents, comparing)

    def call(self, held: HeldPair, plan: Plan, kind: AttemptKind) -> PairCall:
        """About to be made, under the id of the attempt that it becomes."""
        shadow = kind is AttemptKind.SHADOW
        model = plan.rival if shadow else plan.judge
        return PairCall(
            id=new_id(),
            kind=kind,
            provider=model.provider,
            model=model.id,
            at=datetime.now(UTC),
            cents=round_cents(plan.rival_cents if shadow else plan.judge_cents),
            key_source=KeySource.TENANT if model.provider in held.keys else KeySource.OPERATOR,
        )

    def ask(
        self,
        whose: OnBehalf,
        model: Model,
        request: ChatRequest,
        record: Callable[[Attempt], None],
        should_stop: Callable[[], bool],
        *,
        seconds: float | None = None,
    ) -> Completion:
        """One call, of at most `seconds`. Raises AllCandidatesFailed, Held or Cancelled, as the dispatcher does."""
        patience = _PATIENCE_SECONDS if seconds is None else min(seconds, _PATIENCE_SECONDS)
        return self._dispatcher.dispatch(
            request,
            [model],
            deadline=time.monotonic() + (seconds or patience + self._settings.attempt_timeout_seconds),
            record=record,
            should_stop=should_stop,
            tokens=estimate_input_tokens(request.messages) + (request.max_tokens or 0),
            patience=patience,
            reserved=whose.reserved,
            credentials=self._keyring.credentials(whose.keys),
        ).completion

    def contenders(self, whose: OnBehalf, comparing: Comparing) -> tuple[Model, ...]:
        """Models that may be sent the tenant's words for this: those that the job's own key might have used.

        Raises NotCompared.

        Where the tenant has a key of its own for a provider, the operator's does not take its place: without leave to
        use the tenant's, that provider is left out.
        """
        own: Collection[str] = whose.keys
        models = self._catalogue.with_keys(own).models
        usable = models if comparing.own_keys else [model for model in models if model.provider not in own]
        try:
            return among(usable, whose.models, AUTO_MODEL)
        except AicoError as error:
            raise NotCompared("no_rival") from error

    def _rival(self, held: HeldPair, served: Model, models: Sequence[Model]) -> Model:
        chosen = next((model for model in models if model.id == held.rival), None)
        if chosen is not None:
            return chosen
        if held.answer is not None:
            raise NotCompared("model_gone")
        try:
            equipped = able(extract_features(held.request), [PricedModel(model, None) for model in models])
        except AicoError as error:
            raise NotCompared("no_rival") from error
        rival = WORK[held.purpose].rival(served, [priced.model for priced in equipped])
        if rival is None:
            raise NotCompared("no_rival")
        return rival

    def cents_of(self, model: Model, request: ChatRequest) -> Decimal | None:
        """What asking it costs at most. None: its price is unknown, or it cannot read so much."""
        tokens = estimate_input_tokens(request.messages)
        room = min(request.max_tokens or model.max_output, model.max_output)
        return None if tokens + room > model.context_window else self._cents(model, tokens, room)

    def _cents(self, model: Model, input_tokens: int, output_tokens: int) -> Decimal | None:
        usage = Usage(input_uncached=input_tokens, output=output_tokens)
        price = self._prices.cost_cents(model.provider, model.id, usage, datetime.now(UTC))
        return None if price is None else price.cents * MARGIN


def booked_as(call: PairCall, attempt: Attempt) -> Attempt:
    """Under the id that was noted, so that it is booked once. An answer of unknown usage cost what was expected."""
    told = attempt.cost_cents is not None or attempt.outcome is not AttemptOutcome.OK
    priced = {} if told else {"cost_cents": call.cents, "price_version": "estimate"}
    return attempt.model_copy(update={"id": call.id, "at": call.at, "kind": call.kind, **priced})
