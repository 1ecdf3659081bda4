"""A response as a stream of events, in OpenAI's order, resumable after any of them from the stored job alone.

Numbers count characters of the answer's text, after five places for the events before it. An answer that begins anew
says so in an `error` event, which has the place of its text's beginning; and what ends without an answer has a place
behind all text. So no number depends on how the text came in pieces, and none was given to anything else before.

That a model declined is known when it has ended: pieces are told as text, and what is left as a refusal.
"""

from collections.abc import Iterator
from typing import Any

from aico.core.jobs import Job, JobStatus
from aico.wire.ids import Prefix, public_id
from aico.wire.response_answer import content_of, message_head, output_items, response, status_of
from aico.wire.response_items import output_text
from aico.wire.sequence import number, place
from aico.wire.spoken import Contradiction, Spoken

Json = dict[str, Any]
Events = Iterator[Json]

_CREATED, _QUEUED, _IN_PROGRESS, _ITEM_ADDED, _PART_ADDED = range(5)
_UNANSWERED = _PART_ADDED + 1
_FROM_THE_START = -1
_ENDINGS = {JobStatus.COMPLETED: "response.completed", JobStatus.INCOMPLETE: "response.incomplete"}
_PARTS = {"output_text": "text", "refusal": "refusal"}


class ResponseEvents:
    """The events of one reader, who has seen those up to the number `after`. Each method returns what is next."""

    def __init__(self, job: Job, after: int | None = None) -> None:
        self._job = job
        self._after = _FROM_THE_START if after is None else after
        generation, characters = place(max(self._after, 0))
        self._read = max(0, characters - _PART_ADDED)  # characters of that generation's text, from an earlier stream
        self._generation = generation
        self._spoken = Spoken()
        self._last = self._after
        self._working = False
        self._part: str | None = None  # of which kind the message's content is
        self.broken = False  # nothing can follow what was sent, although the job has not ended

    def begin(self) -> Events:
        yield from self._event(_CREATED, "response.created", response=self._as(JobStatus.QUEUED))
        if self._job.echo.get("background"):
            yield from self._event(_QUEUED, "response.queued", response=self._as(JobStatus.QUEUED))

    def started(self) -> Events:
        if not self._working:
            self._working = True
            snapshot = self._as(JobStatus.IN_PROGRESS)
            yield from self._event(_IN_PROGRESS, "response.in_progress", response=snapshot)

    def text(self, generation: int, start: int, text: str) -> Events:
        """More of the answer: what a worker of this generation wrote after `start` characters."""
        try:
            self._belongs(generation)
            fresh = self._spoken.add(start, text)
        except Contradiction:
            yield from self._break_off(generation)
            return
        yield from self._open("output_text")
        yield from self._delta(fresh)

    def ended(self, job: Job) -> Events:
        self._job = job
        if job.answer is None:
            yield from self._finish(number(job.fence, _UNANSWERED))
            return
        generation = max(job.fence - 1, 0)
        try:
            self._belongs(generation)
            rest = self._spoken.rest(job.answer.text)
        except Contradiction:
            yield from self._break_off(generation)
            return
        yield from self.started()
        if output_items(job)[0]["type"] == "message":
            yield from self._open(content_of(job.answer)["type"])
            self._spoken.add(self._spoken.length, rest)
            yield from self._delta(rest)
        yield from self._closing(number(generation, _PART_ADDED + len(job.answer.text)))

    def _closing(self, last: int) -> Events:
        """What follows the text, which ends at the number `last`."""
        for index, item in enumerate(output_items(self._job)):
            steps = _message_steps(item) if item["type"] == "message" else _call_steps(item)
            for kind, fields in steps:
                last += 1
                yield from self._event(last, kind, output_index=index, **fields)
        yield from self._finish(last + 1)

    def _finish(self, last: int) -> Events:
        kind = _ENDINGS.get(status_of(self._job), "response.failed")
        yield from self._event(last, kind, response=response(self._job))

    def _open(self, kind: str) -> Events:
        """The message and its only piece of content, of which nothing is said yet."""
        yield from self.started()
        if self._part is not None:
            return
        self._part = kind
        item = {**message_head(self._job, "in_progress"), "content": []}
        yield from self._event(_ITEM_ADDED, "response.output_item.added", output_index=0, item=item)
        part = output_text("") if kind == "output_text" else {"type": "refusal", "refusal": ""}
        yield from self._event(_PART_ADDED, "response.content_part.added", **self._where, part=part)

    def _delta(self, fresh: str) -> Events:
        """`fresh` is the end of what is spoken by now."""
        unread = fresh[max(0, self._read - (self._spoken.length - len(fresh))) :]
        if not unread:
            return
        rest = {"delta": unread, "logprobs": []} if self._part == "output_text" else {"delta": unread}
        end = number(self._generation, _PART_ADDED + self._spoken.length)
        yield from self._event(end, f"response.{self._part}.delta", **self._where, **rest)

    @property
    def _where(self) -> Json:
        return {"item_id": public_id(Prefix.MESSAGE, self._job.id), "output_index": 0, "content_index": 0}

    def _belongs(self, generation: int) -> None:
        """Raises Contradiction where the reader has part of an earlier text, which nobody can compare any more."""
        if generation > self._generation and self._read:
            raise Contradiction
        self._generation = generation

    def _break_off(self, generation: int) -> Events:
        self.broken = True
        at = max(number(generation, _PART_ADDED), self._last + 1)
        message = "the answer broke off and was begun anew; go on after this event to read it from its beginning"
        yield from self._event(at, "error", code="answer_restarted", message=message, param=None)

    def _as(self, status: JobStatus) -> Json:
        """The response as it was before it ended."""
        bare = {"status": status, "answer": None, "routing": None, "error": None, "finished_at": None}
        return response(self._job.model_copy(update=bare))

    def _event(self, at: int, kind: str, **fields: Any) -> Events:
        if at > self._after:
            self._last = at
            yield {"type": kind, "sequence_number": at, **fields}


def _message_steps(item: Json) -> Iterator[tuple[str, Json]]:
    (part,) = item["content"]
    whole = {name: part[name] for name in (_PARTS[part["type"]], "logprobs") if name in part}
    yield f"response.{part['type']}.done", {"item_id": item["id"], "content_index": 0, **whole}
    yield "response.content_part.done", {"item_id": item["id"], "content_index": 0, "part": part}
    yield "response.output_item.done", {"item": item}


def _call_steps(item: Json) -> Iterator[tuple[str, Json]]:
    begun = {**item, "arguments": "", "status": "in_progress"}
    yield "response.output_item.added", {"item": begun}
    if item["arguments"]:
        yield "response.function_call_arguments.delta", {"item_id": item["id"], "delta": item["arguments"]}
    whole = {"name": item["name"], "arguments": item["arguments"]}
    yield "response.function_call_arguments.done", {"item_id": item["id"], **whole}
    yield "response.output_item.done", {"item": item}
