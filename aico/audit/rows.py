"""What is kept of a call once it has been read: hashes, counts and figures, and none of its words."""

import hashlib
import math
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from aico.audit.calls import LoggedCall
from aico.audit.naming import Named, Names
from aico.core.canonical import cache_key, canonical_json
from aico.core.chat import ChatRequest, Role
from aico.core.freshness import bound_to_time, personal
from aico.core.usage import Usage
from aico.routing.difficulty import assess
from aico.routing.features import Features, declared, extract_features, needs
from aico.routing.models import Capability

_KEY_BYTES = 16  # of a hash: two of a billion calls collide once in 10**20 logs
_SHORT_BYTES = 8
_LAST_BOUNDARIES = 12  # of a conversation's prefixes; an earlier request of it ends at one of them
_HEAD_WORDS = 3  # of a prompt without a system prompt, by which calls of one program are told
_LOOKED_AT_CHARS = 200
_BRIEF_CHARS = 40
_CENTS = 100
_DIGITS = re.compile(r"\d+")


@dataclass(slots=True)
class Row:
    at: float | None  # seconds since 1970
    seconds: float | None  # how long the answer took
    named: Named
    usage: Usage | None
    cache_known: bool
    logged_cents: float | None
    fingerprint: bytes
    namespace: bytes
    cacheable: bool  # the service would look into its cache by itself
    searchable: bool  # and compare the last turn by meaning
    passing: bool  # its answer is soon out of date
    score: float  # of complexity, 0..1
    needs: frozenset[Capability]
    template: bytes  # equal for calls of one program
    waited_for: bool  # a stream, or a conversation that has begun
    prefixes: tuple[tuple[bytes, float], ...]  # shared beginnings, by the part of the prompt's bytes that each takes
    block: bytes | None  # session or user
    user: bytes | None
    answer: bytes | None
    brief: bool  # the answer is so short that other words are another answer
    numbers: bytes  # of the last turn, in their order
    served: bool  # by a cache in front of the provider
    vector: int = -1  # its place among the vectors
    excerpt: str | None = None  # where examples were asked for


def distil(call: LoggedCall, names: Names, *, any_temperature: bool) -> Row:
    """Linear in the length of the prompt."""
    request, result = call.request, call.result
    whose = {"user": call.user} if call.user is not None and personal(request) else {}
    key = cache_key(request, {**call.scope, **whose})
    named = names.find(request.model, call.provider)
    if named.provider is None and result.model is not None:
        named = names.find(result.model, call.provider)
    cacheable = request.n == 1 and (any_temperature or not request.temperature)
    talking = any(message.role in {Role.ASSISTANT, Role.TOOL} for message in request.messages)
    features = _features(request)
    who = call.session or call.user
    row = Row(
        at=result.at,
        seconds=call.seconds,
        named=named,
        usage=result.usage,
        cache_known=result.cache_known,
        logged_cents=None if call.dollars is None else float(call.dollars) * _CENTS,
        fingerprint=key.fingerprint[:_KEY_BYTES],
        namespace=key.namespace[:_KEY_BYTES],
        cacheable=cacheable,
        searchable=cacheable and request.ends_in_plain_words,
        passing=bound_to_time(request, year_of(result.at)),
        score=assess(features)[0],
        needs=features.needs,
        template=_template(request),
        waited_for=call.streamed or talking,
        prefixes=_prefixes(request),
        block=None if who is None else _short(who),
        user=None if call.user is None else _short(call.user),
        answer=None if call.result.answer is None else _short(" ".join(call.result.answer.lower().split())),
        brief=len(call.result.answer or "") <= _BRIEF_CHARS,
        numbers=_short(",".join(_DIGITS.findall(request.last_user_turn))),
        served=call.cached,
    )
    return without_false_zero(row)


def year_of(at: float | None) -> int:
    """In which a call was made, UTC; of one that does not say so, the present one."""
    return (datetime.now(UTC) if at is None else datetime.fromtimestamp(at, UTC)).year


def _features(request: ChatRequest) -> Features:
    """As of the whole request, but for the tokens: those were counted by whoever sent the bill."""
    last = request.model_copy(update={"messages": request.messages[-1:], "tools": (), "json_schema": None})
    turns = sum(message.role is not Role.SYSTEM for message in request.messages)
    return replace(extract_features(last), turns=turns, needs=needs(request))


def without_false_zero(row: Row) -> Row:
    """Gateways write a cost of 0 where they know no price. Only what a cache served cost nothing."""
    if row.served:
        row.logged_cents = 0.0
    elif row.logged_cents == 0 and (row.usage is None or row.usage.total):
        row.logged_cents = None
    return row


def _short(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:_SHORT_BYTES]


def _template(request: ChatRequest) -> bytes:
    system = [message.text for message in request.messages if message.role is Role.SYSTEM]
    tools = [tool.name for tool in request.tools]
    head = [] if system else _DIGITS.sub("0", request.last_user_turn[:_LOOKED_AT_CHARS]).split()[:_HEAD_WORDS]
    return hashlib.sha256(canonical_json([request.model, system, tools, head])).digest()[:_SHORT_BYTES]


def _prefixes(request: ChatRequest) -> tuple[tuple[bytes, float], ...]:
    """At the ends of messages, the shortest first: of the system prompt with the tools, and of the last messages."""
    seen = hashlib.sha256("\n".join(declared(request)).encode())
    size = sum(map(len, declared(request)))
    found: list[tuple[bytes, int]] = []
    for message in request.messages:
        written = message.model_dump_json(exclude_defaults=True).encode()
        seen.update(written)
        size += len(written)
        found.append((seen.digest()[:_SHORT_BYTES], size))
    leading = next(
        (index for index, message in enumerate(request.messages) if message.role is not Role.SYSTEM), len(found)
    )
    last = max(leading, len(found) - _LAST_BOUNDARIES)
    kept = [*found[max(0, leading - 1) : leading], *found[last:]]
    return tuple((digest, end / size) for digest, end in kept) if size and math.isfinite(size) else ()
