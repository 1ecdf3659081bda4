"""Structured logs on standard error: one line an event, readable on a terminal and JSON elsewhere."""

import logging
import sys
import threading
import traceback
from types import TracebackType
from typing import Any

import structlog

from aico.core.redact import redact_event

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]

log = structlog.get_logger()


def configure_logging(level: str) -> None:
    """For this process, the standard library's loggers included. Prompts and secrets are never logged.

    The words of an exception may repeat what was asked: a validation shows its input, Postgres the row that it refuses.
    They are left out, but for the level DEBUG.
    """
    words = level == "DEBUG"
    exceptions = structlog.processors.ExceptionRenderer(_with_words if words else without_words)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Plain tracebacks: the renderer's own show local variables, and so prompts.
    console = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    renderer: Any = console if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*shared, exceptions, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            exceptions,
            redact_event,  # the last before the renderer: tracebacks are text by now
            renderer,
        ],
    )
    _send(formatter, level, words=words)
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # it logs each URL, and an endpoint's may hold a token
    logging.getLogger("sse_starlette").setLevel(logging.INFO)  # below that it logs each event, and so answers
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def _send(formatter: logging.Formatter, level: str, *, words: bool) -> None:
    """Everything to standard error, from this level on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    if not words:
        handler.addFilter(_name_the_task_alone)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)


def without_words(exc_info: ExcInfo) -> str:
    """The types and the lines of code of an exception and of what it came from, and a SQLSTATE where there is one."""
    parts: list[str] = []
    error: BaseException | None = exc_info[1]
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        state = getattr(error, "sqlstate", None)
        name = f"{type(error).__module__}.{type(error).__qualname__}" + (f" (SQLSTATE {state})" if state else "")
        parts.append("".join(traceback.format_tb(error.__traceback__)) + name)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n\ncaused:\n".join(reversed(parts))


def _with_words(exc_info: ExcInfo) -> str:
    return "".join(traceback.format_exception(*exc_info))


def _name_the_task_alone(record: logging.LogRecord) -> bool:
    """Celery writes the words of a task's exception into the line itself."""
    if record.name == "celery.app.trace" and isinstance(record.args, dict) and "exc" in record.args:
        record.msg = "Task %(name)s[%(id)s] %(description)s"
    return True


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    log.critical("process_died", exc_info=(kind, error, trace))


def _uncaught_in_thread(died: threading.ExceptHookArgs) -> None:
    if died.exc_value is not None:
        log.critical("thread_died", thread=died.thread and died.thread.name, exc_info=died.exc_value)
