"""What goes over the wire when somebody asks why an answer is served again, or is not."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from aico.api.cache_entry_schemas import NamespaceName
from aico.core.cache_policy import GuardPolicy
from aico.core.inputs import Turn


class ExplainRequest(BaseModel):
    """Two questions, each as the last turn of a request would have it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"asked": "How many euros is one dollar?", "kept": "How many dollars is one euro?"}]
        },
    )

    asked: Annotated[Turn, Field(description="The new question.")]
    kept: Annotated[Turn, Field(description="The one whose answer is kept.")]
    namespace: Annotated[
        NamespaceName | None, Field(description="In which both were asked; null: one of which nothing is known.")
    ] = None
    guards: Annotated[GuardPolicy | None, Field(description="Null: the tenant's policy, else the service's.")] = None
