"""SmolLM2-135M-Instruct on OpenVINO GenAI, several answers at a time.

Continuous batching instead of one answer after the other: with four callers on two cores it made 196 tokens a second
on one thread where the plain pipeline made 73 to 77, and 356 against 83 on two.
"""

import asyncio
import itertools
import logging
import queue
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aico.core.chat import FinishReason
from aico.core.errors import InvalidInput, Unavailable
from aico.embedded.local_model.engine import Busy, Event, Finished, Piece, Prompt
from aico.embedded.local_model.model_files import MODEL_ID
from aico.embedded.local_model.runtime import load_runtime
from aico.embedded.local_model.text import StopFilter, TokenText

CONTEXT_TOKENS = 8192  # the model's, prompt and answer together
MAX_ACTIVE = 8  # answers made at the same time
MAX_WAITING = 32
_CACHE_GIB = 1  # attention cache: 14 kB a token, so room for all active answers at full context

_log = logging.getLogger(__name__)

Emitted = Piece | Finished | Exception


@dataclass
class _Ticket:
    prompt: Prompt
    emit: Callable[[Emitted], None]
    cancelled: threading.Event = field(default_factory=threading.Event)


@dataclass
class _Active:
    ticket: _Ticket
    handle: Any  # openvino_genai.GenerationHandle
    prompt_tokens: int
    text: TokenText
    shown: StopFilter
    completion_tokens: int = 0


class BatchingEngine:
    model_id = MODEL_ID
    owned_by = "local"
    structured = False

    def __init__(self, model_dir: Path, *, threads: int, on_failure: Callable[[], None]) -> None:
        """Load the model, a few seconds. Raises RuntimeError or ImportError where that fails.

        `on_failure` is called, from the generating thread, when the model fails later: it makes no answers any more.
        """
        self._genai = load_runtime()
        scheduler = self._genai.SchedulerConfig()
        scheduler.cache_size = _CACHE_GIB
        scheduler.max_num_seqs = MAX_ACTIVE
        # In single precision an answer does not depend on what else is in its batch.
        properties = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
        self._pipeline = self._genai.ContinuousBatchingPipeline(model_dir, scheduler, "CPU", properties)
        self._tokenizer = self._pipeline.get_tokenizer()
        self._ids = itertools.count()
        self._on_failure = on_failure
        self._closed = threading.Event()
        self._waiting: queue.Queue[_Ticket | None] = queue.Queue()  # None wakes the thread so that it sees the end
        self._thread = threading.Thread(target=self._work, name="generate", daemon=True)
        self._thread.start()

    async def answer(self, prompt: Prompt) -> AsyncGenerator[Event, None]:
        if self._waiting.qsize() >= MAX_WAITING:
            raise Busy(f"{MAX_WAITING} requests wait already", retry_after=1)
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[Emitted] = asyncio.Queue()
        ticket = _Ticket(prompt, lambda event: _hand_over(loop, events, event))
        self._waiting.put(ticket)
        if self._closed.is_set():  # asked after the ticket is in the queue: the thread may just have emptied it
            self._refuse([])
        try:
            while True:
                event = await events.get()
                if isinstance(event, Exception):
                    raise event
                yield event
                if isinstance(event, Finished):
                    return
        finally:
            ticket.cancelled.set()

    def close(self) -> None:
        self._closed.set()
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        active: list[_Active] = []
        try:
            while not self._closed.is_set():
                active += self._admit(MAX_ACTIVE - len(active), wait=not active)
                if self._pipeline.has_non_finished_requests():
                    self._pipeline.step()
                active = [answer for answer in active if not self._deliver(answer)]
        except Exception:  # noqa: BLE001  the boundary of the thread: whatever the runtime raises must reach those who wait
            _log.exception("the local model failed")
            self._on_failure()
        finally:
            self._closed.set()
            self._refuse([answer.ticket for answer in active])

    def _refuse(self, tickets: list[_Ticket]) -> None:
        with suppress(queue.Empty):
            while True:
                ticket = self._waiting.get_nowait()
                tickets += [ticket] if ticket else []
        for ticket in tickets:
            ticket.emit(Unavailable("the local model has stopped", retry_after=1))

    def _admit(self, room: int, *, wait: bool) -> list[_Active]:
        admitted: list[_Active] = []
        while room > len(admitted) and (wait or not self._waiting.empty()):
            ticket = self._waiting.get()
            wait = False
            if ticket is None:
                break
            if ticket.cancelled.is_set():
                continue
            try:
                admitted.append(self._begin(ticket))
            except InvalidInput as error:
                ticket.emit(error)
        return admitted

    def _begin(self, ticket: _Ticket) -> _Active:
        prompt = ticket.prompt
        messages = [{"role": message.role.value, "content": message.text} for message in prompt.messages]
        text = self._tokenizer.apply_chat_template(messages, add_generation_prompt=True)
        # Cut one token above the limit: enough to see that it does not fit. The template holds the special tokens.
        limit = CONTEXT_TOKENS + 1
        tokens = self._tokenizer.encode(text, add_special_tokens=False, max_length=limit, truncation=True).input_ids
        count = int(tokens.shape[1])
        if count >= CONTEXT_TOKENS:
            raise InvalidInput(f"the prompt does not fit into {CONTEXT_TOKENS} tokens", param="messages")
        handle = self._pipeline.add_request(next(self._ids), tokens, self._config(prompt, CONTEXT_TOKENS - count))
        return _Active(ticket, handle, count, TokenText(self._tokenizer.decode), StopFilter(prompt.stop))

    def _config(self, prompt: Prompt, room: int) -> Any:
        config = self._pipeline.get_config()
        config.max_new_tokens = min(prompt.max_tokens, room)
        config.do_sample = prompt.temperature > 0
        if config.do_sample:
            config.temperature = prompt.temperature
            config.top_p = prompt.top_p
            if prompt.seed is not None:
                config.rng_seed = prompt.seed
        return config

    def _deliver(self, answer: _Active) -> bool:
        """Hand over what is new; whether the answer is over."""
        if answer.ticket.cancelled.is_set():
            answer.handle.cancel()
            return True
        while answer.handle.can_read():
            for output in answer.handle.read().values():
                if self._extend(answer, output):
                    return True
        if answer.handle.get_status() == self._genai.GenerationStatus.IGNORED:
            answer.ticket.emit(Unavailable("no room in the attention cache", retry_after=1))
            return True
        return False

    def _extend(self, answer: _Active, output: Any) -> bool:
        answer.completion_tokens += len(output.generated_ids)
        text = answer.shown.push(answer.text.push(output.generated_ids))
        ended = output.finish_reason != self._genai.GenerationFinishReason.NONE
        if ended and not answer.shown.stopped:
            text += answer.shown.push(answer.text.flush()) + answer.shown.flush()
        if text:
            answer.ticket.emit(Piece(text))
        if not ended and not answer.shown.stopped:
            return False
        if not ended:
            answer.handle.stop()
        cut = output.finish_reason == self._genai.GenerationFinishReason.LENGTH and not answer.shown.stopped
        reason = FinishReason.LENGTH if cut else FinishReason.STOP
        answer.ticket.emit(Finished(reason, answer.prompt_tokens, answer.completion_tokens))
        return True


def _hand_over(loop: asyncio.AbstractEventLoop, events: "asyncio.Queue[Emitted]", event: Emitted) -> None:
    if not loop.is_closed():  # the server is gone, and with it whoever asked
        loop.call_soon_threadsafe(events.put_nowait, event)
