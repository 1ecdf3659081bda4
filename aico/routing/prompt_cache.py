"""What a provider is told to keep of a prompt: what it sells again at a discount, where that is expected to pay.

Where marks are needed, what is kept for the first time costs more than it would unkept: it pays from the second use on.
So a beginning is marked once it has been seen a second time within the minutes for which it would be kept.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Protocol
from uuid import UUID

from aico.core.chat import ChatRequest, Message, Role
from aico.core.usage import Usage
from aico.routing.models import Model
from aico.routing.prices import PriceBook
from aico.routing.providers.profiles import PROFILE_BY_NAME, Profile
from aico.routing.providers.wire import CacheHint

KEPT_SECONDS = 300  # for which a provider keeps what is marked, from its last use
_CHARS_PER_TOKEN = 4
_DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class Beginning:
    """So many tokens at the beginning of a prompt, roughly; `digest` stands for them, and tells nothing of them."""

    digest: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Beginnings:
    """Of one prompt: its tools and the system's words; all that the last call of a conversation had; all of it."""

    head: Beginning
    before: Beginning | None
    whole: Beginning


class Sightings(Protocol):
    """Thread-safe. Never raises: what was not seen is not marked, and nothing is lost but a discount."""

    def count(self, digests: Sequence[str]) -> Mapping[str, int]:
        """How often each was seen in the last `KEPT_SECONDS`. Those that are asked about are seen now."""


def pays(
    prefix_tokens: int, expected_uses: int, price_write: Decimal, price_read: Decimal, price_input: Decimal
) -> bool:
    """Whether to keep so many tokens that so many calls begin with, the first of which writes. Prices of one token."""
    kept = price_write + (expected_uses - 1) * price_read
    return prefix_tokens > 0 and expected_uses > 0 and kept < expected_uses * price_input


def beginnings(request: ChatRequest, salt: bytes) -> Beginnings:
    """O(length of the prompt). `salt` sets apart what is alike and yet not shared, such as tenants."""
    digest, chars = blake2b(salt, digest_size=_DIGEST_BYTES, key=b"aico prompt cache"), 0

    def add(value: object) -> Beginning:
        nonlocal chars
        told = json.dumps(value, ensure_ascii=False).encode()
        digest.update(len(told).to_bytes(8, "big") + told)
        return Beginning(digest.hexdigest(), chars // _CHARS_PER_TOKEN)

    system = [message.text for message in request.messages if message.role is Role.SYSTEM]
    tools = [tool.model_dump(mode="json") for tool in request.tools]
    chars += sum(map(len, system)) + (len(json.dumps(tools)) if tools else 0)
    head = whole = add([tools, system])
    before = None
    spoken = [message for message in request.messages if message.role is not Role.SYSTEM]
    last_answer = max((place for place, one in enumerate(spoken) if one.role is Role.ASSISTANT), default=0)
    for place, message in enumerate(spoken):
        if place == last_answer and place > 0:
            before = whole
        chars += _chars(message)
        whole = add(message.model_dump(mode="json"))
    return Beginnings(head, before, whole)


def _chars(message: Message) -> int:
    return len(message.text) + sum(len(call.name) + len(call.arguments) for call in message.tool_calls)


class PromptCache:
    """Thread-safe. Decides for one job after another."""

    def __init__(self, prices: PriceBook, sightings: Sightings) -> None:
        self._prices = prices
        self._sightings = sightings

    def hint(self, tenant: UUID, request: ChatRequest, model: Model, at: datetime) -> CacheHint | None:
        """None where nothing is to be kept, or where what begins alike is found without being told."""
        profile = PROFILE_BY_NAME[model.provider]
        if profile.cache_hints is None or _too_short(request, profile):
            return None
        found = beginnings(request, tenant.bytes)
        if profile.cache_hints == "key":
            return CacheHint(key=found.head.digest) if found.whole.tokens >= profile.least_cached else None
        return self._marks(found, model, profile, at)

    def _marks(self, found: Beginnings, model: Model, profile: Profile, at: datetime) -> CacheHint | None:
        known = [one for one in (found.head, found.before, found.whole) if one is not None]
        names = {one.digest: f"{model.provider_model}:{one.digest}" for one in known}
        seen = self._sightings.count([*dict.fromkeys(names.values())])

        def worth(beginning: Beginning | None, kept: Beginning) -> bool:
            if beginning is None or kept.tokens < profile.least_cached:
                return False
            return self._pays(model, kept.tokens, 1 + seen.get(names[beginning.digest], 0), at)

        hint = CacheHint(head=worth(found.head, found.head), conversation=worth(found.before, found.whole))
        return hint if hint.head or hint.conversation else None

    def _pays(self, model: Model, tokens: int, uses: int, at: datetime) -> bool:
        def price(usage: Usage) -> Decimal | None:
            found = self._prices.cost_cents(model.provider, model.id, usage, at)
            return None if found is None else found.cents / tokens

        write, read, plain = (
            price(usage)
            for usage in (Usage(cache_write=tokens), Usage(cache_read=tokens), Usage(input_uncached=tokens))
        )
        return write is not None and read is not None and plain is not None and pays(tokens, uses, write, read, plain)


def _too_short(request: ChatRequest, profile: Profile) -> bool:
    """At a glance, so that most prompts are not taken apart."""
    chars = sum(map(_chars, request.messages))
    return not request.tools and chars < profile.least_cached * _CHARS_PER_TOKEN
