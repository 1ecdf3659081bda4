"""Langfuse: observations as its API, its exports and its blob storage write them, of which generations are calls."""

from aico.audit.calls import LoggedCall, NotReadable, Result, SetAside
from aico.audit.lenient import Json, dollars, first, moment, name_of, object_of, parsed
from aico.audit.messages import read_answer
from aico.audit.requests import read_request
from aico.audit.usages import of_langfuse

TYPES = frozenset(
    {
        *("GENERATION", "SPAN", "EVENT", "EMBEDDING", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "EVALUATOR", "GUARDRAIL"),
    }
)


def read(fields: Json) -> LoggedCall:
    if fields.get("type") not in (None, "GENERATION"):
        raise SetAside("an observation that is no generation")
    if fields.get("level") == "ERROR":
        raise SetAside("a call that failed")
    model = name_of(first(fields, "model", "provided_model_name", "providedModelName"))
    if model is None:
        raise NotReadable("no model is named")
    given = parsed(fields.get("input"))
    nested = object_of(given) if "messages" in object_of(given) else {"messages": given}
    parameters = object_of(first(fields, "modelParameters", "model_parameters"))
    request, scope = read_request({**parameters, **nested}, model)
    at = moment(first(fields, "startTime", "start_time"), "startTime")
    end = moment(first(fields, "endTime", "end_time"), "endTime")
    counted = of_langfuse(fields)
    return LoggedCall(
        request,
        scope,
        Result(read_answer(parsed(fields.get("output"))), counted.usage, counted.cache_known, at, model),
        seconds=None if at is None or end is None else max(0.0, end - at),
        dollars=dollars(_cost(fields), "costDetails"),
        session=name_of(first(fields, "sessionId", "session_id", "traceId", "trace_id")),
        user=name_of(first(fields, "userId", "user_id")),
        streamed=first(fields, "completionStartTime", "completion_start_time") is not None,
    )


def _cost(fields: Json) -> object:
    details = object_of(first(fields, "costDetails", "cost_details"))
    if details.get("total") is not None:
        return details["total"]
    if details:
        amounts = [dollars(value, "costDetails") for value in details.values()]
        return sum(amount for amount in amounts if amount is not None)
    return first(fields, "totalCost", "total_cost", "calculatedTotalCost", "calculated_total_cost")
