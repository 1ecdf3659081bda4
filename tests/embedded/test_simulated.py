import asyncio
from dataclasses import replace

from aico.core.chat import FinishReason, Message, Role
from aico.embedded.local_model.engine import Finished, Piece, Prompt
from aico.embedded.local_model.simulated import SimulatedEngine

ASKED = Prompt(messages=(Message(role=Role.USER, content="How are you, my friend?"),))


def answer(prompt: Prompt) -> tuple[str, Finished]:
    async def collect() -> list[Piece | Finished]:
        return [event async for event in SimulatedEngine().answer(prompt)]

    *pieces, finished = asyncio.run(collect())
    assert isinstance(finished, Finished)
    return "".join(piece.text for piece in pieces if isinstance(piece, Piece)), finished


def test_says_what_it_is_and_repeats_itself() -> None:
    text, finished = answer(ASKED)
    assert text.startswith("This is a simulated answer: no language model was run.")
    assert (text, finished) == answer(ASKED)
    assert finished.prompt_tokens == 7
    assert finished.reason is FinishReason.STOP


def test_other_prompts_have_other_answers() -> None:
    other = Prompt(messages=(Message(role=Role.USER, content="How are you, my enemy?"),))
    assert answer(other)[0] != answer(ASKED)[0]


def test_length_and_stop_are_honoured() -> None:
    text, finished = answer(replace(ASKED, max_tokens=3))
    assert (text, finished.reason, finished.completion_tokens) == ("This is a", FinishReason.LENGTH, 3)
    text, finished = answer(replace(ASKED, stop=(" answer",)))
    assert (text, finished.reason) == ("This is a simulated", FinishReason.STOP)
