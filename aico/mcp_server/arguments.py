"""The arguments of the tools, as a model reads about them.

Free text is never optional: the SDK takes a string for an argument that may be something else for JSON and parses it.
"""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from aico.core.jobs import CacheMode
from aico.core.strategies import StrategyName
from aico.mcp_server.batch_files import BatchItem

Prompt = Annotated[str, Field(min_length=1, description="The question or instruction to answer.")]
System = Annotated[str, Field(description="Instructions to the model that answers.")]
Model = Annotated[str, Field(min_length=1, description="A model's id, or auto: the cheapest that is good enough.")]
MaxTokens = Annotated[int | None, Field(ge=1, le=1_000_000, description="Most tokens of the answer.")]
Temperature = Annotated[
    float | None, Field(ge=0, le=2, description="Above 0 the cache is off unless `cache` is given.")
]
Format = Annotated[Literal["text", "json_object"], Field(description="json_object: the answer has to be JSON.")]
Cache = Annotated[
    CacheMode | None,
    Field(
        description="semantic: an answer to a question that means the same may be served again; exact: only to an"
        " identical request; refresh: answer anew and keep it; off."
    ),
]
QualityFloor = Annotated[float | None, Field(ge=0, le=1, description="No model of a lower rank answers.")]
Strategy = Annotated[
    StrategyName | None, Field(description="By which the model is chosen; cascade checks a cheap answer first.")
]
MaxCost = Annotated[
    float | None, Field(gt=0, le=10**9, description="US cents: no model is called that is expected to cost more.")
]
Labels = Annotated[dict[str, str] | None, Field(description="Labels to find the job by later; at most 16.")]
Window = Annotated[
    str,
    Field(
        pattern=r"^([1-9][0-9]{0,5}[smhd])?$",
        description="How long the answer may take, such as 90s, 30m, 24h or 7d. Work that can wait may cost half.",
    ),
]
BatchWindow = Annotated[
    str, Field(pattern=r"^[1-9][0-9]{0,5}[smhd]$", description="How long all of it may take, such as 1h or 24h.")
]
JobId = Annotated[UUID, Field(description="As ask or submit returned it.")]
Timeout = Annotated[float, Field(gt=0, le=86_400, description="Seconds to wait; the job goes on after that.")]
Requests = Annotated[
    list[Annotated[str, Field(min_length=1)] | BatchItem],
    Field(min_length=1, max_length=50_000, description="Prompts, or requests with a custom_id of their own."),
]
Days = Annotated[int, Field(ge=1, le=366, description="Whole days back from now, UTC.")]
Score = Annotated[float | None, Field(ge=0, le=1, description="From 0, useless, to 1, just right; instead of a thumb.")]
Comment = Annotated[str, Field(max_length=2000, description="Why.")]


def given(**arguments: Any) -> dict[str, Any]:
    """Those that say something: None and empty text stand for what was left out."""
    return {name: value for name, value in arguments.items() if value is not None and value != ""}
