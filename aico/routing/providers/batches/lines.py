"""What the batch formats have in common: lines out of bytes, answers out of lines, limits."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from aico.core.chat import Completion
from aico.core.errors import PayloadTooLarge
from aico.routing.models import Model
from aico.routing.providers.batches.wire import BatchLimits, LaneLine, LineFailure, check_name
from aico.routing.providers.failures import OVERSIZED, failure_kind
from aico.routing.providers.profiles import Profile
from aico.routing.providers.provider import MAX_ANSWER_BYTES
from aico.routing.providers.wire import Wire, WireError


def check_batch(key: str, lines: Sequence[LaneLine], limits: BatchLimits) -> None:
    """Raises PayloadTooLarge for too many lines, ValueError for none, for one id twice and for an unusable key."""
    check_name(key)
    if len(lines) > limits.lines:
        raise PayloadTooLarge(f"a batch of {len(lines)} lines exceeds the {limits.lines} that it may have")
    if not lines or len({line.custom_id for line in lines}) < len(lines):
        raise ValueError("a batch needs lines, each with an id of its own")


def check_size(body: bytes, limits: BatchLimits) -> bytes:
    if len(body) > limits.request_bytes:
        raise PayloadTooLarge(f"a batch of {len(body)} bytes exceeds the {limits.request_bytes} that it may have")
    return body


def line_body(wire: Wire, profile: Profile, model: Model, line: LaneLine) -> Any:
    """The JSON object that a direct call would send. A batch is a tier of its own: no other one is asked for."""
    hints = {name: value for name, value in line.request.hints.items() if name != "service_tier"}
    request = line.request.model_copy(update={"hints": hints})
    return json.loads(wire.build_request(profile, None, model, request, stream=False).body)


def encoded(body: Any) -> bytes:
    """A part of a provider's JSON as JSON again, whatever numbers it has."""
    return json.dumps(body).encode()


def read_answer(wire: Wire, body: Any) -> Completion | LineFailure:
    """The answer that a line's JSON object holds, marked as a batch's so that it is priced as one."""
    try:
        completion = wire.parse_response(encoded(body))
    except WireError as error:
        return line_failure(error)
    # The discount is one off the standard price, whatever name the provider gives to the tier of its lane.
    usage = completion.usage.model_copy(update={"batch": True, "tier": "standard"})
    return completion.model_copy(update={"usage": usage})


def line_failure(error: WireError) -> LineFailure:
    return LineFailure(failure_kind(error.status, error.code), error.message)


def split_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines that have anything in them. Raises WireError for one that is longer than any answer may be."""
    rest = bytearray()
    for chunk in chunks:
        first, *others = chunk.split(b"\n")
        rest += first
        for other in others:
            if rest.strip():
                yield bytes(rest)
            rest = bytearray(other)
        if len(rest) > MAX_ANSWER_BYTES:
            raise WireError(f"a line of the results exceeds {MAX_ANSWER_BYTES} bytes", code=OVERSIZED)
    if rest.strip():
        yield bytes(rest)
