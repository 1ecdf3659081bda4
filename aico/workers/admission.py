"""Decides at the door whether a request can be answered at all, so that nothing hopeless is stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from aico.core.assignment import NO_PROGRAMME, Assigned, Holdout, Programme, Unit, draw, user_unit
from aico.core.canonical import cache_key
from aico.core.chat import AUTO_MODELS, ChatRequest
from aico.core.errors import InvalidInput, PayloadTooLarge, UnknownModel
from aico.core.freshness import personal
from aico.core.ids import new_id
from aico.core.jobs import CacheMode, CachePersonal, Controls, JobClass
from aico.core.settings import Settings
from aico.core.submission import Submission
from aico.routing.catalogue import Catalogue
from aico.routing.expectations import Expectations
from aico.routing.features import extract_features, needs
from aico.routing.lanes import Terms
from aico.routing.models import Model
from aico.routing.prices import PriceBook
from aico.routing.strategies.protocol import PricedModel, RoutingPolicy, able, among, permitted, price_models
from aico.store.jobs import IdempotencyKey, NewJob
from aico.tracing import spans

_TIMEOUT_FACTORS = {JobClass.INTERACTIVE: 1, JobClass.STANDARD: 6, JobClass.BATCH: 144}

_SOONEST_SECONDS = 1

_OVERHEAD_TOKENS = 1500  # the expected answer where no limit is given, and what a chat template adds


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, as far as it matters here."""

    api_key: UUID | None = None
    cache_mode: CacheMode | None = None  # of the tenant's policy; None: the service's
    models: frozenset[str] | None = None  # that may answer; None: all
    own_providers: frozenset[str] = frozenset()  # for which the tenant has keys of its own
    programme: Programme = NO_PROGRAMME
    cache_personal: CachePersonal = CachePersonal.USER  # of the tenant's policy


ANYBODY = Asker()


@dataclass(frozen=True)
class _Offer:
    """What a tenant may ask for that has keys of its own for certain providers, or for none."""

    catalogue: Catalogue
    smallest_window: int
    expectations: Expectations
    callable: Mapping[str, Model]  # by id

    @classmethod
    def of(cls, catalogue: Catalogue, prices: PriceBook) -> "_Offer":
        smallest = min((model.context_window for model in catalogue.models), default=0)
        by_id = {model.id: model for model in catalogue.models}
        return cls(catalogue, smallest, Expectations(catalogue, prices), by_id)


class Admission:
    def __init__(self, catalogue: Catalogue, settings: Settings) -> None:
        self._catalogue = catalogue
        self._prices = PriceBook(catalogue)
        self._settings = settings
        self._offers: dict[frozenset[str], _Offer] = {}

    def admit(
        self,
        submission: Submission,
        asker: Asker = ANYBODY,
        idempotency: IdempotencyKey | None = None,
    ) -> NewJob:
        """The job to be stored. Linear in the prompt's length.

        Raises a precise InvalidInput, UnknownModel, ModelNotAllowed, PayloadTooLarge, BudgetExceeded or NoProvider.
        """
        chat, controls, models = submission.chat, submission.controls, asker.models
        offer = self._offer(asker.own_providers)
        self._answerable(chat, controls, models, offer)
        retries, job, mode = submission.max_retries, new_id(), submission.cache_mode(asker.cache_mode)
        programme = asker.programme.concerning(choice_left=chat.model in AUTO_MODELS)
        assigned = draw(programme, _units(job, asker, submission.user), self._holdout(submission, asker, mode))
        whose = submission.user if submission.user is not None and personal(chat) else None
        return NewJob(
            id=job,
            api_key_id=asker.api_key,
            job_class=submission.job_class,
            cache_mode=_cache_mode(submission, asker, assigned, whose),
            assigned=assigned,
            request=chat.model_dump(mode="json", exclude_defaults=True),
            key=cache_key(chat, _scope(controls, asker, whose)),
            metadata=submission.metadata,
            timeout_seconds=self._timeout(submission.job_class),
            deadline=self._deadline(submission),
            priority_seconds=submission.priority,
            max_retries=self._settings.job_max_retries if retries is None else retries,
            idempotency=idempotency,
            searchable=chat.ends_in_plain_words,
            controls=controls,
            tags=submission.tags,
            surface=submission.surface,
            echo=submission.echo,
            streams=submission.streams,
            traceparent=spans.traceparent(),
            expected=offer.expectations.of(chat, controls, models),
        )

    def appraise(
        self, submission: Submission, models: frozenset[str] | None = None, own: frozenset[str] = frozenset()
    ) -> Terms:
        """How long an answer may take. Raises as `admit` does, and stores nothing either."""
        self._answerable(submission.chat, submission.controls, models, self._offer(own))
        deadline, job_class = self._deadline(submission), submission.job_class
        if deadline is None:
            return Terms(job_class, self._timeout(job_class), deadline_given=False)
        return Terms(job_class, (deadline - datetime.now(UTC)).total_seconds(), deadline_given=True)

    def _holdout(self, submission: Submission, asker: Asker, mode: CacheMode) -> Holdout | None:
        """What would answer if we did not choose: the baseline, or the model that is named, without our cache.

        None where nobody can say, or where we change nothing: work in batches, which others discount too; what the
        baseline may not answer or perhaps cannot; a named model whose answers are not served again.
        """
        chat, controls, programme = submission.chat, submission.controls, asker.programme
        share = self._settings.holdout_share if programme.holdout_share is None else programme.holdout_share
        if not share or submission.job_class is JobClass.BATCH or controls.max_cost_cents is not None:
            return None
        if chat.model not in AUTO_MODELS:
            return Holdout(share, chat.model) if mode.reads else None
        name = controls.baseline_model or programme.baseline_model or self._settings.baseline_model
        model = self._offer(asker.own_providers).callable.get(name)
        suits = (
            model is not None
            and (asker.models is None or name in asker.models)
            and model.quality >= (controls.quality_floor or 0.0)
            and needs(chat) <= model.capabilities
            and _surely_fits(chat, model.context_window)
        )
        return Holdout(share, name) if suits else None

    def _timeout(self, job_class: JobClass) -> float:
        return self._settings.job_timeout_seconds * _TIMEOUT_FACTORS[job_class]

    def _deadline(self, submission: Submission) -> datetime | None:
        now = datetime.now(UTC)
        due = submission.due(now)
        if due is None:
            return None
        param = "deadline" if submission.completion_window is None else "completion_window"
        ahead = (due - now).total_seconds()
        if ahead < _SOONEST_SECONDS:
            raise InvalidInput(f"a deadline must be at least {_SOONEST_SECONDS} s ahead", param=param)
        if ahead > self._settings.max_deadline_seconds:
            raise InvalidInput(f"a deadline may be at most {self._settings.max_deadline_seconds} s ahead", param=param)
        return due

    def _offer(self, own: frozenset[str]) -> _Offer:
        """There are few providers, and so few sets of them."""
        offer = self._offers.get(own)
        if offer is None:
            offer = self._offers[own] = _Offer.of(self._catalogue.with_keys(own), self._prices)
        return offer

    def _answerable(self, chat: ChatRequest, controls: Controls, models: frozenset[str] | None, offer: _Offer) -> None:
        characters = sum(len(message.text) for message in chat.messages)
        if characters > self._settings.max_prompt_chars:
            raise PayloadTooLarge(
                f"the prompt has {characters} characters; at most {self._settings.max_prompt_chars} are accepted",
                param="messages",
            )
        if controls.baseline_model is not None and controls.baseline_model not in self._catalogue.known:
            raise UnknownModel(f"the model {controls.baseline_model!r} does not exist", param="baseline_model")
        model = None if chat.model in AUTO_MODELS else offer.catalogue.find(chat.model)
        if model is not None and chat.max_tokens is not None and chat.max_tokens > model.max_output:
            raise InvalidInput(f"{model.id} answers with at most {model.max_output} tokens", param="max_tokens")
        allowed = among(offer.catalogue.models, models, chat.model)
        limited = controls.quality_floor is not None or controls.max_cost_cents is not None
        if not limited and not needs(chat) and _surely_fits(chat, offer.smallest_window):
            return
        features = extract_features(chat)
        candidates = [PricedModel(one, None) for one in ((model,) if model else allowed)]
        usable = able(features, candidates)
        if limited:
            priced = price_models([one.model for one in usable], features, self._prices, datetime.now(UTC))
            permitted(
                priced, RoutingPolicy(quality_floor=controls.quality_floor or 0.0, max_cents=controls.max_cost_cents)
            )


def _cache_mode(submission: Submission, asker: Asker, assigned: Assigned, whose: str | None) -> CacheMode:
    """An experiment stands in for the tenant's policy; the holdout knows no cache, whatever is said.

    `whose` names the user where the question is personal.
    """
    if assigned.direct or (whose is not None and asker.cache_personal is CachePersonal.NEVER):
        return CacheMode.OFF
    return submission.cache_mode(assigned.treatment.cache or asker.cache_mode)


def _units(job: UUID, asker: Asker, user: str | None) -> dict[Unit, str]:
    units: dict[Unit, str] = {"job": str(job)}
    if asker.api_key is not None:
        units["key"] = str(asker.api_key)
    if user is not None and asker.programme.experiments:
        units["user"] = user_unit(asker.programme.salt, user)
    return units


def _surely_fits(chat: ChatRequest, window: int) -> bool:
    """Cheaper than counting tokens: no text has more tokens than bytes."""
    size = sum(len(message.text.encode()) for message in chat.messages) + (chat.max_tokens or 0)
    return size + _OVERHEAD_TOKENS <= window


def _scope(controls: Controls, asker: Asker, whose: str | None) -> dict[str, Any]:
    """What else must be equal for an answer to be served again: none is, of a model that may not answer.

    Nor is an answer to somebody's personal question served to anybody else.
    """
    scope: dict[str, Any] = {}
    if controls.quality_floor is not None:
        scope["quality_floor"] = controls.quality_floor
    if asker.models is not None:
        scope["models"] = sorted(asker.models)
    if whose is not None:
        scope["user"] = user_unit(asker.programme.salt, whose)
    return scope
