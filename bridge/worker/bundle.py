"""Several deliveries in one Celery task, for a deep backlog of quick work: Celery's cost for a task is paid once.

Each delivery is still claimed, run and written on its own, through its own task with its own retries.
"""

import logging
import time
from datetime import datetime
from typing import Any

from celery import Task, current_app, shared_task
from celery.exceptions import Ignore, Retry
from celery.utils.imports import qualname

from bridge.daemon.publisher import BUNDLE_TASK
from bridge.message import Token
from bridge.pgmq import pgmq_queue
from bridge.queues import BUNDLE_SECONDS, registry
from bridge.worker.task import HandedBack

logger = logging.getLogger(__name__)

Coordinates = tuple[int, str, str, int]


@shared_task(name=BUNDLE_TASK, bind=True)
def deliver_bundle(self: "Task[Any, Any]", queue: str, deliveries: list[Coordinates]) -> None:
    """Run each delivery `[msg_id, vt, trace_id, attempts used]` of `queue` through the queue's own task.

    None is started while the queue is held, nor later than `BUNDLE_SECONDS` after the first: the run lease counts on
    it. The rest goes back to the queue at once, no attempt charged, so slow work does not wait here while other workers
    idle.
    """
    task = current_app.tasks[registry.get(queue).task]
    last_start = time.monotonic() + BUNDLE_SECONDS
    for position, (msg_id, vt, trace_id, attempts) in enumerate(deliveries):
        if time.monotonic() > last_start:
            _hand_back(queue, deliveries[position:], "the work is slow")
            return
        task.push_request(**{**self.request.__dict__, "retries": attempts, "id": f"{self.request.id}.{position}"})
        try:
            task(queue, msg_id, vt, trace_id)
        except HandedBack:
            _hand_back(queue, deliveries[position + 1 :], "the queue is held")
            return
        except (Ignore, Retry):
            continue
        except Exception as error:  # noqa: BLE001 - its outcome is written and logged by the task itself; the others must still run.
            logger.debug("%s %s: %s in a bundle", queue, msg_id, qualname(type(error)))
        finally:
            task.pop_request()


def _hand_back(queue: str, deliveries: list[Coordinates], why: str) -> None:
    rest = [Token(msg_id, datetime.fromisoformat(vt)) for msg_id, vt, *_ in deliveries]
    logger.debug("%s: %s deliveries of a bundle handed back, %s", queue, pgmq_queue(queue).release(rest), why)
