"""The stand-in where the model cannot run: says what it is, the same way for the same request."""

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator

from aico.core.canonical import canonical_json
from aico.core.chat import FinishReason
from aico.embedded.local_model.engine import Finished, Piece, Prompt
from aico.embedded.local_model.text import StopFilter

MODEL_ID = "simulated-small"
_SECONDS_PER_TOKEN = 0.002
_TOKEN = re.compile(r"\s*(?:\w+|[^\w\s])")  # a word or a sign with the white space before it


class SimulatedEngine:
    model_id = MODEL_ID
    owned_by = "simulated"

    async def answer(self, prompt: Prompt) -> AsyncGenerator[Piece | Finished, None]:
        prompt_tokens = sum(len(_TOKEN.findall(message.text)) for message in prompt.messages)
        tokens = _TOKEN.findall(_answer_text(prompt, prompt_tokens))
        shown = StopFilter(prompt.stop)
        made = 0
        for token in tokens[: prompt.max_tokens]:
            await asyncio.sleep(_SECONDS_PER_TOKEN)
            made += 1
            if text := shown.push(token):
                yield Piece(text)
            if shown.stopped:
                break
        if rest := shown.flush():
            yield Piece(rest)
        cut = made < len(tokens) and not shown.stopped
        yield Finished(FinishReason.LENGTH if cut else FinishReason.STOP, prompt_tokens, made)

    def close(self) -> None:
        """Nothing runs between two requests."""


def _answer_text(prompt: Prompt, prompt_tokens: int) -> str:
    asked = [[message.role, message.text] for message in prompt.messages]
    digest = hashlib.sha256(canonical_json(asked)).hexdigest()[:8]
    return (
        "This is a simulated answer: no language model was run. "
        f"The request {digest} had {len(prompt.messages)} messages with {prompt_tokens} words and signs."
    )
