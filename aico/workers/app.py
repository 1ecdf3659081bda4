"""The Celery application. Task modules register themselves on it; a worker imports only the module that it runs."""

from dataclasses import dataclass
from typing import Any

from celery import Celery
from kombu import Queue as KombuQueue

from aico.core.settings import Settings, get_settings
from aico.workers import kombu_guard
from aico.workers.queue import Queue


@dataclass(frozen=True, slots=True)
class WorkerKind:
    """A process: its task module, its queues in the order in which they are drained, and how many messages it holds."""

    module: str
    queues: tuple[Queue, ...]
    prefetch: int = 1  # messages taken ahead, for each thread
    threads: int = 1  # `route` has ROUTE_CONCURRENCY instead


WORKERS = {
    "embed": WorkerKind("aico.workers.embed", (Queue.EMBED,), prefetch=128, threads=3),
    "route": WorkerKind("aico.workers.route", (Queue.INTERACTIVE, Queue.STANDARD, Queue.BATCH, Queue.COMPARE)),
    "record": WorkerKind("aico.workers.record", (Queue.RECORD,), prefetch=1000),
    "notify": WorkerKind("aico.workers.notify", (Queue.NOTIFY,), threads=16),
    "lane": WorkerKind("aico.workers.lane", (Queue.LANE,), threads=4),
    "batch": WorkerKind("aico.workers.batch", (Queue.LINES, Queue.DATA, Queue.LEARN), threads=4),
}


def configuration(settings: Settings) -> dict[str, Any]:
    """Settings measured to survive broker restarts; the reasons are in docs/decisions."""
    return {
        "broker_url": settings.redis_url.get_secret_value(),
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_ignore_result": True,
        "task_acks_late": False,
        "task_create_missing_queues": False,
        "task_queues": [KombuQueue(queue.value) for queue in Queue],
        "task_default_queue": Queue.STANDARD.value,
        "task_publish_retry": False,
        "worker_hijack_root_logger": False,
        "worker_enable_remote_control": True,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_transport_options": {
            "visibility_timeout": 600,
            "max_connections": settings.route_concurrency + 32,
            "socket_timeout": 30,
            "socket_connect_timeout": 3,
            "socket_keepalive": True,
            "health_check_interval": 10,
            "queue_order_strategy": "priority",
        },
    }


kombu_guard.install()
app = Celery("aico", set_as_current=False)
app.add_defaults(lambda: configuration(get_settings()))  # read when it is first needed, not at import
