"""Tokens as logs count them, read into one usage vector whose sorts do not overlap."""

from typing import Any, NamedTuple

from aico.audit.lenient import Json, first, object_of, tokens
from aico.core.usage import Usage


class Counted(NamedTuple):
    usage: Usage | None
    cache_known: bool  # whether cached tokens are told apart


NOTHING = Counted(None, cache_known=False)
_STANDARD = {"default", "auto", "standard"}


def of_provider(raw: Json, *, batch: bool = False) -> Counted:
    """A provider's own object, or one that a gateway has brought into OpenAI's form."""
    if not {"prompt_tokens", "completion_tokens", "input_tokens", "output_tokens"} & raw.keys():
        return NOTHING
    total = tokens(first(raw, "prompt_tokens", "input_tokens"), "usage")
    details = object_of(first(raw, "prompt_tokens_details", "input_tokens_details"))
    read = tokens(first({**raw, **details}, "cached_tokens", "cache_read_input_tokens"), "usage")
    write = tokens(first({**raw, **details}, "cache_write_tokens", "cache_creation_input_tokens"), "usage")
    # Anthropic counts cached tokens beside `input_tokens`; every other count of a prompt includes them.
    beside = "prompt_tokens" not in raw and "cache_read_input_tokens" in raw
    reasoning = object_of(first(raw, "completion_tokens_details", "output_tokens_details")).get("reasoning_tokens")
    known = bool(details) or "cache_read_input_tokens" in raw
    fresh = total if beside else max(0, total - read - write)
    output = tokens(first(raw, "completion_tokens", "output_tokens"), "usage")
    return Counted(_usage(raw, (fresh, read, write), output, reasoning, batch=batch), known)


def _usage(raw: Json, given: tuple[int, int, int], output: int, reasoning: Any, *, batch: bool) -> Usage:
    fresh, read, write = given
    tier = raw.get("service_tier")
    return Usage(
        input_uncached=fresh,
        cache_read=read,
        cache_write=write,
        output=output,
        reasoning=min(tokens(reasoning, "usage"), output),
        tier="standard" if not isinstance(tier, str) or tier in _STANDARD else tier,
        batch=batch or tier == "batch",
    )


def of_langfuse(fields: Json) -> Counted:
    """`usageDetails`: freely named sorts, where those that begin with `input` and `output` add up to each side."""
    details = object_of(first(fields, "usageDetails", "usage_details"))
    if not details:
        return _of_older_langfuse(fields)
    if {"prompt_tokens", "completion_tokens", "input_tokens"} & details.keys():
        return of_provider(details)
    counted = {name: tokens(value, "usageDetails") for name, value in details.items() if value is not None}
    total = counted.pop("total", None)
    read = sum(number for name, number in counted.items() if "cache" in name and not _writes(name))
    write = sum(number for name, number in counted.items() if "cache" in name and _writes(name))
    fresh = sum(number for name, number in counted.items() if "cache" not in name and name.startswith("input"))
    output = sum(number for name, number in counted.items() if name.startswith("output"))
    hidden = sum(number for name, number in counted.items() if "reasoning" in name)
    if total is not None and total == counted.get("input", 0) + counted.get("output", 0):  # the other sorts are within
        fresh, output = max(0, counted.get("input", 0) - read - write), counted.get("output", 0)
    if not fresh + read + write + output:
        return NOTHING
    known = any("cache" in name for name in counted)
    return Counted(_usage({}, (fresh, read, write), output, hidden, batch=False), known)


def _writes(name: str) -> bool:
    return "creation" in name or "write" in name


def _of_older_langfuse(fields: Json) -> Counted:
    usage = object_of(fields.get("usage"))
    given = tokens(first({**usage, **_flat(fields)}, "input", "promptTokens", "prompt_tokens"), "usage")
    made = tokens(first({**usage, **_flat(fields)}, "output", "completionTokens", "completion_tokens"), "usage")
    if usage.get("unit") not in (None, "TOKENS") or not given + made:
        return NOTHING
    return Counted(Usage(input_uncached=given, output=made), cache_known=False)


def _flat(fields: Json) -> dict[str, Any]:
    names = ("promptTokens", "completionTokens", "prompt_tokens", "completion_tokens")
    return {name: fields[name] for name in names if name in fields}
