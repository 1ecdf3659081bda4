"""Decides at the door whether a request can be answered at all, so that nothing hopeless is stored."""

from datetime import UTC, datetime

from aico.api.auth import Principal
from aico.api.schemas import JobRequest
from aico.core.canonical import cache_key
from aico.core.chat import AUTO_MODEL, ChatRequest
from aico.core.errors import InvalidInput, PayloadTooLarge
from aico.core.ids import new_id
from aico.core.jobs import JobClass
from aico.core.settings import Settings
from aico.routing.catalogue import Catalogue
from aico.routing.features import extract_features
from aico.routing.lanes import Terms
from aico.routing.strategies.protocol import PricedModel, able
from aico.store.jobs import IdempotencyKey, NewJob

_TIMEOUT_FACTORS = {JobClass.INTERACTIVE: 1, JobClass.STANDARD: 6, JobClass.BATCH: 144}

_SOONEST_SECONDS = 1

_OVERHEAD_TOKENS = 1500  # the expected answer where no limit is given, and what a chat template adds


class Admission:
    def __init__(self, catalogue: Catalogue, settings: Settings) -> None:
        self._catalogue = catalogue
        self._models = tuple(PricedModel(model, None) for model in catalogue.models)
        self._smallest_window = min((model.context_window for model in catalogue.models), default=0)
        self._settings = settings

    def admit(self, principal: Principal, request: JobRequest, key: IdempotencyKey | None = None) -> NewJob:
        """Raises a precise InvalidInput, UnknownModel, PayloadTooLarge or NoProvider. Linear in the prompt's length."""
        chat = request.chat()
        self._answerable(chat)
        return NewJob(
            id=new_id(),
            api_key_id=principal.api_key,
            job_class=request.job_class,
            cache_mode=request.cache_mode,
            request=chat.model_dump(mode="json", exclude_defaults=True),
            key=cache_key(chat),
            metadata=request.metadata,
            timeout_seconds=self._timeout(request),
            deadline=self._deadline(request),
            priority_seconds=request.priority,
            max_retries=self._settings.job_max_retries if request.max_retries is None else request.max_retries,
            idempotency=key,
        )

    def appraise(self, request: JobRequest) -> tuple[ChatRequest, Terms]:
        """What would be asked, and how long it may take. Raises as `admit` does, and stores nothing either."""
        chat = request.chat()
        self._answerable(chat)
        deadline = self._deadline(request)
        if deadline is None:
            return chat, Terms(request.job_class, self._timeout(request), deadline_given=False)
        slack = (deadline - datetime.now(UTC)).total_seconds()
        return chat, Terms(request.job_class, slack, deadline_given=True)

    def _timeout(self, request: JobRequest) -> float:
        return self._settings.job_timeout_seconds * _TIMEOUT_FACTORS[request.job_class]

    def _deadline(self, request: JobRequest) -> datetime | None:
        now = datetime.now(UTC)
        due = request.due(now)
        if due is None:
            return None
        param = "deadline" if request.completion_window is None else "completion_window"
        ahead = (due - now).total_seconds()
        if ahead < _SOONEST_SECONDS:
            raise InvalidInput(f"a deadline must be at least {_SOONEST_SECONDS} s ahead", param=param)
        if ahead > self._settings.max_deadline_seconds:
            raise InvalidInput(f"a deadline may be at most {self._settings.max_deadline_seconds} s ahead", param=param)
        return due

    def _answerable(self, chat: ChatRequest) -> None:
        characters = sum(len(message.text) for message in chat.messages)
        if characters > self._settings.max_prompt_chars:
            raise PayloadTooLarge(
                f"the prompt has {characters} characters; at most {self._settings.max_prompt_chars} are accepted",
                param="messages",
            )
        model = None if chat.model == AUTO_MODEL else self._catalogue.find(chat.model)
        if model is not None and chat.max_tokens is not None and chat.max_tokens > model.max_output:
            raise InvalidInput(f"{model.id} answers with at most {model.max_output} tokens", param="max_tokens")
        if self._surely_fits(chat):
            return
        able(extract_features(chat), self._models if model is None else (PricedModel(model, None),))

    def _surely_fits(self, chat: ChatRequest) -> bool:
        """Cheaper than counting tokens: no text has more tokens than bytes."""
        size = sum(len(message.text.encode()) for message in chat.messages) + (chat.max_tokens or 0)
        return size + _OVERHEAD_TOKENS <= self._smallest_window and chat.response_format == "text"
