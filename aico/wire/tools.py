"""Tools and formats of answers, as OpenAI's chat completions write them."""

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from aico.core.chat import JsonSchema, Tool, ToolChoice
from aico.core.inputs import Text
from aico.wire.chat_messages import Strict

ToolName = Annotated[Text, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]


def _storable(schema: dict[str, Any]) -> dict[str, Any]:
    """JSON knows no infinity, which a number such as 1e400 is read as."""
    try:
        json.dumps(schema, allow_nan=False, ensure_ascii=False).encode()
    except ValueError as error:
        raise ValueError("must hold finite numbers, and no half of a surrogate pair") from error
    return schema


Schema = Annotated[dict[str, Any], AfterValidator(_storable)]


class FunctionDefinition(Strict):
    name: ToolName
    description: Annotated[Text, Field(max_length=20_000)] | None = None
    parameters: Schema | None = None
    strict: bool | None = None


class FunctionTool(Strict):
    type: Literal["function"]
    function: FunctionDefinition

    def tool(self) -> Tool:
        return Tool(**self.function.model_dump())


class NamedFunction(Strict):
    name: ToolName


class NamedChoice(Strict):
    type: Literal["function"]
    function: NamedFunction


WhichTool = Literal["none", "auto", "required"] | NamedChoice


def tool_choice(choice: WhichTool | None) -> ToolChoice | None:
    if choice is None or isinstance(choice, NamedChoice):
        return None if choice is None else ToolChoice(mode="one", name=choice.function.name)
    return ToolChoice(mode=choice)


class TextFormat(Strict):
    type: Literal["text"]


class JsonObjectFormat(Strict):
    type: Literal["json_object"]


class SchemaDefinition(Strict):
    name: Annotated[Text, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    description: Text | None = None
    schema_: Annotated[Schema, Field(alias="schema")]
    strict: bool | None = None

    def json_schema(self) -> JsonSchema:
        return JsonSchema(name=self.name, description=self.description, schema_=self.schema_, strict=self.strict)


class JsonSchemaFormat(Strict):
    type: Literal["json_schema"]
    json_schema: SchemaDefinition


AnswerFormat = Annotated[TextFormat | JsonObjectFormat | JsonSchemaFormat, Field(discriminator="type")]
