"""Comparisons keep to the limits that jobs keep to."""

from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest
from pydantic import SecretStr

from aico.core.chat import ChatRequest, Message, Role
from aico.core.settings import Settings
from aico.routing.catalogue import Catalogue
from aico.routing.models import Model
from aico.routing.no_answer import AllCandidatesFailed
from aico.routing.pacing import NoPacer
from aico.routing.providers.credential import operator_keys
from aico.store.shadow_pairs import HeldPair
from aico.workers.comparer import Comparer


class Full(NoPacer):
    """No key has room; which ones were asked about is kept."""

    def __init__(self) -> None:
        self.accounts: set[UUID | None] = set()

    def reserve(self, model: Model, tokens: int, *, patience: float, account: UUID | None = None) -> float | None:
        del model, tokens, patience
        self.accounts.add(account)
        return None


def test_a_comparison_takes_its_calls_from_the_limits_of_the_keys_that_answer_jobs(settings: Settings) -> None:
    keyed = settings.model_copy(update={"openai_api_key": SecretStr("house-credential-1")})
    full = Full()
    comparer = Comparer(keyed, full)
    model = next(one for one in Catalogue.from_settings(keyed).models if one.provider == "openai")
    request = ChatRequest(messages=(Message(role=Role.USER, content="Why?"),))
    held = cast("HeldPair", SimpleNamespace(keys={}, reserved=None))
    attempts: list[Any] = []
    with pytest.raises(AllCandidatesFailed):
        comparer.ask(held, model, request, attempts.append, lambda: False)
    comparer.close()
    assert full.accounts == {key.id for key in operator_keys(keyed)["openai"]}
