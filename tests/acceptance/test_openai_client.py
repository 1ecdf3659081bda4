"""The whole product behind OpenAI's own client, with nothing changed but `base_url`. The model is simulated."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionMessage
from pydantic import BaseModel

from acceptance.conftest import Running

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def asking(product: Running) -> OpenAI:
    return OpenAI(base_url=f"{product.url}/v1", api_key=product.key)


def question(text: str) -> list[Any]:
    return [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]


def test_one_line_is_changed_and_everything_else_stays(asking: OpenAI) -> None:
    answer = asking.chat.completions.create(model="auto", messages=question("How far is the moon?"))
    assert answer.choices[0].message.content
    assert answer.usage is not None
    assert answer.usage.total_tokens > 0


def test_a_stream_adds_up_to_the_answer_that_is_kept(asking: OpenAI) -> None:
    messages = question("How far is the sun from here, and how long does its light take?")
    chunks = list(asking.chat.completions.create(model="auto", messages=messages, stream=True))
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices[0].delta.content]
    assert len(pieces) > 1  # it came piece by piece
    raw = asking.chat.completions.with_raw_response.create(model="auto", messages=messages)
    assert raw.headers["x-aico-cache"] == "exact"
    assert raw.parse().choices[0].message.content == "".join(pieces)


def test_many_ask_at_once(product: Running) -> None:
    async def ask_all() -> list[str | None]:
        async with AsyncOpenAI(base_url=f"{product.url}/v1", api_key=product.key) as asking:

            async def ask(number: int) -> str | None:
                messages = question(f"Is {number} an even number?")
                if number % 2:
                    answer = await asking.chat.completions.create(model="auto", messages=messages)
                    return answer.choices[0].message.content
                said = [
                    chunk.choices[0].delta.content or ""
                    async for chunk in await asking.chat.completions.create(
                        model="auto", messages=messages, stream=True
                    )
                ]
                return "".join(said)

            return list(await asyncio.gather(*(ask(number) for number in range(24))))

    assert all(asyncio.run(ask_all()))


def test_refusals_are_the_clients_own_errors(asking: OpenAI, product: Running) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        asking.chat.completions.create(model="gpt-0", messages=question("x"))
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as wrong:
        asking.chat.completions.create(model="auto", messages=question("x"), temperature=9)
    assert wrong.value.param == "temperature"
    stranger = OpenAI(base_url=f"{product.url}/v1", api_key="aico_live_nobody")
    with pytest.raises(openai.AuthenticationError) as unknown:
        stranger.chat.completions.create(model="auto", messages=question("x"))
    assert unknown.value.code == "invalid_api_key"
    assert unknown.value.request_id is not None


def test_the_examples_print_an_answer_and_what_it_cost(product: Running) -> None:
    environment = {**os.environ, "COST_OPTIMIZER_API_URL": product.url, "AICO_API_KEY": product.key}
    example = [sys.executable, str(EXAMPLES / "openai_client.py"), "Which port does SSH use?"]
    done = subprocess.run(example, env=environment, capture_output=True, text=True, check=False, timeout=60)
    answer, price = done.stdout.splitlines()
    assert answer
    assert price.startswith("simulated/")
    assert "cents instead of" in price


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_a_stream_can_be_read_with_curl(product: Running) -> None:
    environment = {**os.environ, "COST_OPTIMIZER_API_URL": product.url, "AICO_API_KEY": product.key}
    example = ["sh", str(EXAMPLES / "stream.sh")]
    done = subprocess.run(example, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.startswith('data: {"id":"chatcmpl-')
    assert done.stdout.endswith("data: [DONE]\n\n")


WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_is_called_and_its_result_is_used(asking: OpenAI, stream: bool) -> None:
    messages = question("call weather, please")
    message = _message(asking, messages, stream=stream)
    (call,) = message.tool_calls or []
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments).keys()) == ("weather", {"city"})
    messages += [
        message,  # as it came, with what the client added to it
        {"role": "tool", "tool_call_id": call.id, "content": "It rains."},
    ]
    answer = asking.chat.completions.create(model="auto", messages=messages, tools=[WEATHER])
    assert "It rains." in (answer.choices[0].message.content or "")


def _message(asking: OpenAI, messages: list[Any], *, stream: bool) -> ChatCompletionMessage:
    if not stream:
        return asking.chat.completions.create(model="auto", messages=messages, tools=[WEATHER]).choices[0].message
    with asking.chat.completions.stream(model="auto", messages=messages, tools=[WEATHER]) as events:
        return events.get_final_completion().choices[0].message


def test_an_answer_fits_the_schema_that_was_asked_for(asking: OpenAI) -> None:
    class City(BaseModel):
        name: str
        inhabitants: int

    parsed = asking.chat.completions.parse(
        model="auto", messages=question("Name a city."), response_format=City
    ).choices[0]
    assert isinstance(parsed.message.parsed, City)


def test_several_choices_are_given(asking: OpenAI) -> None:
    answer = asking.chat.completions.create(model="auto", messages=question("Name a colour."), n=3)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert len({choice.message.content for choice in answer.choices}) == 3
