"""The file of a batch as OpenAI defines it: what each line must be, and what its result looks like."""

from typing import Annotated, Any, Literal

import pydantic_core
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aico.core.inputs import Text
from aico.core.jobs import Job, JobError
from aico.wire.batch_endpoints import ENDPOINTS
from aico.wire.errors import ended_without_answer
from aico.wire.ids import Prefix, public_id

MAX_LINES = 50_000
MAX_SHOWN_FAULTS = 100

Json = dict[str, Any]
_BOM = "\ufeff"
_MISSING = {"missing": "missing_required_parameter"}


class BatchLineRequest(BaseModel):
    """What else a line may hold is not read."""

    model_config = ConfigDict(frozen=True)

    custom_id: Annotated[Text, Field(min_length=1, max_length=512, strict=True)]
    method: Literal["POST"]
    url: Annotated[str, Field(strict=True)]
    body: Json


class Fault(Exception):
    """Why a file is no batch; `line` from 1, None where it is the whole file's."""

    def __init__(self, code: str, message: str, param: str | None = None, line: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param
        self.line = line

    @property
    def body(self) -> Json:
        return {"code": self.code, "message": self.message, "param": self.param, "line": self.line}


def is_blank(data: bytes | None) -> bool:
    return data is not None and not data.strip()


def read_line(data: bytes, number: int, endpoint: str) -> BatchLineRequest:
    """Raises Fault. What the body asks for is not looked at here."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise Fault("invalid_utf8", f"byte {error.start + 1} of the line is not UTF-8", line=number) from error
    try:
        fields = pydantic_core.from_json(text.removeprefix(_BOM) if number == 1 else text, allow_inf_nan=False)
    except ValueError as error:
        raise Fault("invalid_json_line", f"the line is not JSON: {error}", line=number) from error
    if not isinstance(fields, dict):
        raise Fault("invalid_json_line", "the line is not a JSON object", line=number)
    try:
        line = BatchLineRequest.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        code = _MISSING.get(first["type"], "invalid_parameter")
        param = ".".join(map(str, first["loc"]))
        raise Fault(code, f"{param}: {first['msg']}", param=param, line=number) from error
    if line.url != endpoint:
        message = f"the line is for {line.url!r}, the batch for {endpoint!r}"
        raise Fault("mismatched_endpoint", message, param="url", line=number)
    return line


def answered(job: Job, endpoint: str) -> Json:
    """The line of a job that has an answer."""
    return _line(job, {"status_code": 200, "body": ENDPOINTS[endpoint].render(job)})


def failed(job: Job) -> Json:
    """The line of a job that has none."""
    failure = ended_without_answer(job)
    return _line(job, {"status_code": failure.status, "body": {**failure.body, "aico": {"job_id": str(job.id)}}})


def stopped(job: Job, error: JobError) -> Json:
    """The line of a job that ended because its batch did."""
    return _line(job, None, {"code": error.code, "message": error.message})


def refused(line_id: str, custom_id: str, status: int | None, error: Json) -> Json:
    """A line that became no job: refused with a status, or never looked at."""
    response = None if status is None else {"status_code": status, "request_id": None, "body": error}
    return {
        "id": f"{Prefix.BATCH_LINE}{line_id}",
        "custom_id": custom_id,
        "response": response,
        "error": error if response is None else None,
    }


def _line(job: Job, response: Json | None, error: Json | None = None) -> Json:
    request_id = public_id(Prefix.REQUEST, job.id)
    return {
        "id": public_id(Prefix.BATCH_LINE, job.id),
        "custom_id": job.custom_id,
        "response": None if response is None else {"request_id": request_id, **response},
        "error": error,
    }
