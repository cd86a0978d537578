"""Lets a worker say which lines it was started for, and which it takes tasks from: for its health check.

A worker that answers pings may consume nothing: after `control cancel_consumer`, or when its connection for tasks did
not come back with the one for orders.
"""

from typing import Any

from celery import signals
from celery.worker import state as worker_state
from celery.worker.control import inspect_command

_started_for: set[str] = set()


@signals.worker_ready.connect
def remember_lines(sender: Any, **_: Any) -> None:
    _started_for.update(_taken(sender))


@inspect_command()
def lines(state: Any) -> dict[str, Any]:
    """Say what this worker was started for, what it takes from, how much it has in hand, and how much it ever took."""
    return {
        "started_for": sorted(_started_for),
        "taken": sorted(_taken(state.consumer)),
        "in_hand": len(worker_state.reserved_requests),
        "ever": sum(worker_state.total_count.values()),
    }


def _taken(consumer: Any) -> set[str]:
    return {queue.name for queue in consumer.task_consumer.queues}
