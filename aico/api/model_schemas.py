"""Models as OpenAI's clients list them, with what this service knows of each."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from aico.api.list_price import ListPrice


class ListedModel(BaseModel):
    """What is null is not known, or depends on the request."""

    id: str
    object: Literal["model"] = "model"
    created: Annotated[int, Field(description="0: when a model was made is not recorded here.")] = 0
    owned_by: Annotated[str, Field(description="The provider that is called; `aico` for this service itself.")]
    description: str | None = None
    context_window: Annotated[int | None, Field(description="Tokens of prompt and answer together, at most.")] = None
    max_output_tokens: int | None = None
    capabilities: Annotated[
        list[str], Field(description="`json`, `vision`, `tools`, `sampling` (takes a temperature), `embeddings`.")
    ] = []
    quality: Annotated[float | None, Field(description="A coarse rank from 0 to 1 chosen by people.")] = None
    pricing: ListPrice = ListPrice()


class ModelList(BaseModel):
    object: Literal["list"] = "list"
    data: list[ListedModel]
