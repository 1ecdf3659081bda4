"""A conversation that goes on from an earlier response."""

from aico.core.chat import ChatRequest, Message, Role
from aico.core.errors import InvalidInput
from aico.core.jobs import Job

PARAM = "previous_response_id"


def earlier_messages(job: Job, question: ChatRequest) -> list[Message]:
    """What was asked and answered there, without its instructions, which hold for one response alone.

    Raises InvalidInput where there is no answer to go on from.
    """
    if not job.status.final:
        raise InvalidInput(f"the previous response is {job.status.value}; wait for its end", param=PARAM)
    if job.answer is None:
        raise InvalidInput(f"the previous response is {job.status.value} and has no answer", param=PARAM)
    asked = question.messages[1:] if job.echo.get("instructions") is not None else question.messages
    answered = Message(role=Role.ASSISTANT, content=job.answer.text, tool_calls=job.answer.tool_calls)
    return [*asked, answered]
