"""Ids of tasks. Each is a tool's name and the id of the job or batch behind it, so that any process can read it."""

import re
from dataclasses import dataclass
from enum import StrEnum

_JOB_ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_BATCH_ID = r"[A-Za-z0-9_-]{1,128}"
_FORM = re.compile(rf"(?P<job>(?:ask|wait_for_job)\.{_JOB_ID})|(?P<batch>run_batch\.{_BATCH_ID})", re.ASCII)


class TaskTool(StrEnum):
    """The tools whose calls may become tasks."""

    ASK = "ask"
    WAIT_FOR_JOB = "wait_for_job"
    RUN_BATCH = "run_batch"


@dataclass(frozen=True, slots=True)
class TaskRef:
    tool: TaskTool
    id: str  # the job's, or the batch's

    def __str__(self) -> str:
        return f"{self.tool}.{self.id}"


def read_task_id(text: str) -> TaskRef | None:
    """None for what is no task's id."""
    if not _FORM.fullmatch(text):
        return None
    tool, _, behind = text.partition(".")
    return TaskRef(TaskTool(tool), behind)
