"""What dispatching asks of every provider."""

from collections.abc import Callable
from typing import Protocol

from pydantic import SecretStr

from aico.core.chat import ChatRequest, Completion
from aico.routing.models import Model
from aico.routing.providers.wire import CacheHint
from aico.tracing.genai import Address

OnDelta = Callable[[str], None]


class ChatProvider(Protocol):
    @property
    def address(self) -> Address | None:
        """Of its server, for traces."""

    def send_message(
        self,
        request: ChatRequest,
        model: Model,
        *,
        timeout: float,
        on_delta: OnDelta | None = None,
        should_stop: Callable[[], bool] | None = None,
        api_key: SecretStr | None = None,
        on_empty: Callable[[float], None] | None = None,
        caching: CacheHint | None = None,
    ) -> Completion: ...
