"""Has a model say which of the kept answers in doubt serve a job's question, before the call that they may save.

One call about all of them, and one try of a few seconds. Whatever goes wrong, the job goes on to its call.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

import structlog

from aico.core.attempts import Attempt, AttemptKind, KeySource, known_cost
from aico.core.chat import AUTO_MODELS, ChatRequest
from aico.core.comparing import Comparing, Wishes, cache_draw
from aico.core.grey_zone import worthwhile
from aico.core.ids import new_id
from aico.core.money import round_cents
from aico.routing import auditing
from aico.routing.auditing import Likeness
from aico.routing.judging import in_plain_words
from aico.routing.models import Capability, Model
from aico.routing.no_answer import AllCandidatesFailed, Cancelled, Held
from aico.store import grey_zone
from aico.store.claims import Claim, Ending
from aico.store.grey_zone import Candidate, Heard
from aico.store.provider_keys import TenantKey
from aico.store.scope import Scope
from aico.store.shadow_pairs import PairCall, Purpose
from aico.workers import traced
from aico.workers.comparer import Comparer, booked_as
from aico.workers.hits import asked_hit
from aico.workers.leases import Leases
from aico.workers.purposes import NotCompared
from aico.workers.queue import to_record
from aico.workers.runtime import Runtime, patiently

log = structlog.get_logger()

SECONDS = 5.0  # that whoever is asked may take
_TIMES = 3  # so many times that must be left to the job
_FORMS = {Capability.SCHEMA, Capability.JSON}


@dataclass(frozen=True, slots=True)
class _OnBehalf:
    """Of whom a judge is asked."""

    keys: Mapping[str, TenantKey]
    models: frozenset[str] | None
    wishes: Wishes
    reserved: str | None = None


@dataclass(frozen=True, slots=True)
class _Ask:
    """A question to a judge that is about to be asked."""

    found: tuple[Candidate, ...]
    judge: Model
    words: ChatRequest
    call: PairCall
    comparing: Comparing


class Asker:
    """Thread-safe; of one process."""

    def __init__(self, runtime: Runtime, comparer: Comparer) -> None:
        self._runtime = runtime
        self._comparer = comparer

    def ask(self, claim: Claim, call_cents: Decimal | None, leases: Leases) -> Ending | Claim | None:
        """The job's ending where a kept answer serves it; else the claim, with what was spent. None: it is lost.

        `call_cents` is what the call is expected to cost that may be saved.
        """
        ask = self._planned(claim, call_cents)
        if ask is None or not self._begun(claim, ask):
            return claim
        made, said = self._asked(claim, ask, leases)
        likenesses = [] if said is None else auditing.parse_asked(said, len(ask.found))
        for likeness in likenesses:
            traced.judged(Purpose.CACHE, likeness)
        share = self._runtime.settings.cache_audit_share
        heard = Heard(
            verdicts={
                one.entry: likeness is Likeness.SAME
                for one, likeness in zip(ask.found, likenesses, strict=False)
                if likeness is not None
            },
            audited=cache_draw(claim.wishes, str(claim.id)) < share,
            chance=share or 1.0,  # nothing is drawn with none
        )
        statement = grey_zone.settle(claim, ask.call, made, heard)
        (settled,) = patiently(lambda: self._runtime.database.run(Scope.tenant(claim.tenant), statement))
        self._runtime.tell(bells=[to_record(claim.tenant, claim.id)])
        log.info("cache_asked", judge=ask.judge.id, said=likenesses)
        if not settled.held:
            return None
        spent = replace(
            claim,
            near_probability=None,
            attempts=claim.attempts + len(made),
            spent_cents=claim.spent_cents + known_cost(made),
        )
        served = next((one for one in ask.found if one.entry == settled.served), None)
        if served is not None:
            return asked_hit(spent, served, ask.judge.id, sum(attempt.latency_ms for attempt in made))
        return spent

    def _planned(self, claim: Claim, call_cents: Decimal | None) -> _Ask | None:
        """None: it does not pay, or nobody may or can be asked."""
        if not self._may_ask(claim):
            return None
        statement = grey_zone.candidates(claim)
        found = patiently(lambda: self._runtime.database.run(Scope.tenant(claim.tenant), statement))
        able = [one for one in found if _allowed(claim, one) and in_plain_words(claim.request, one.answer)]
        return self._ask_about(claim, able, call_cents) if able else None

    def _may_ask(self, claim: Claim) -> bool:
        wanted = self._runtime.settings.cache_grey_zone and claim.near_probability is not None
        return wanted and not claim.policy.assigned.direct and claim.seconds_left > _TIMES * SECONDS

    def _ask_about(self, claim: Claim, able: Sequence[Candidate], call_cents: Decimal | None) -> _Ask | None:
        comparing = Comparing.of(self._runtime.settings, claim.wishes)
        judge = self._judge(claim, comparing)
        if judge is None:
            return None

        def words(places: Sequence[int]) -> ChatRequest:
            shown = [(able[place].question, able[place].answer.text) for place in places]
            return auditing.ask_request(judge, claim.request, shown)

        def cents_of(places: Sequence[int]) -> Decimal | None:
            return self._comparer.cents_of(judge, words(places))

        places = worthwhile([one.probability for one in able], call_cents, cents_of)
        cents = cents_of(places)
        if not places or cents is None:
            return None
        cap = claim.policy.max_cost_cents
        if cap is not None and claim.spent_cents + cents + (call_cents or 0) > cap:
            return None
        call = PairCall(
            id=new_id(),
            kind=AttemptKind.JUDGE,
            provider=judge.provider,
            model=judge.id,
            at=datetime.now(UTC),
            cents=round_cents(cents),
            key_source=KeySource.TENANT if judge.provider in claim.keys else KeySource.OPERATOR,
        )
        return _Ask(tuple(able[place] for place in places), judge, words(places), call, comparing)

    def _judge(self, claim: Claim, comparing: Comparing) -> Model | None:
        """The one that is set, if the job's key may use it.

        Where none is set the cheapest that keeps to a form, of those that might be sent the job's words anyway.
        """
        try:
            models = self._comparer.contenders(_behalf(claim), comparing)
        except NotCompared:
            return None
        if comparing.judge is not None:
            return next((model for model in models if model.id == comparing.judge), None)
        named = claim.request.model not in AUTO_MODELS and not claim.policy.fallback
        able = [
            model
            for model in models
            if not _FORMS.isdisjoint(model.capabilities) and (not named or model.id == claim.request.model)
        ]
        return self._cheapest(able, claim.request)

    def _cheapest(self, models: Collection[Model], request: ChatRequest) -> Model | None:
        priced = [(self._comparer.cents_of(model, request), model) for model in models]
        known = [(cents, -model.quality, model.id, model) for cents, model in priced if cents is not None]
        return min(known, key=lambda one: one[:3])[3] if known else None

    def _begun(self, claim: Claim, ask: _Ask) -> bool:
        statement = grey_zone.begin(
            claim,
            ask.call,
            tenant_budget=ask.comparing.daily_cents,
            service_budget=self._runtime.settings.judge_service_budget_cents,
        )
        return patiently(lambda: self._runtime.database.run(Scope.tenant(claim.tenant), statement)) == [True]

    def _asked(self, claim: Claim, ask: _Ask, leases: Leases) -> tuple[list[Attempt], str | None]:
        """What was made, as it is booked, and what was said; None: nothing in time."""
        made: list[Attempt] = []
        said = None
        with suppress(AllCandidatesFailed, Held, Cancelled):  # the job goes on as if nobody had been asked
            said = self._comparer.ask(
                _behalf(claim),
                ask.judge,
                ask.words,
                made.append,
                lambda: leases.letting_go or leases.lost(claim),
                seconds=SECONDS,
            ).text
        return [booked_as(ask.call, attempt) for attempt in made], said


def _behalf(claim: Claim) -> _OnBehalf:
    return _OnBehalf(claim.keys, claim.policy.models, claim.wishes)


def _allowed(claim: Claim, found: Candidate) -> bool:
    return claim.policy.models is None or found.routing.model in claim.policy.models
