"""Several deliveries in one Celery task, for a deep backlog of quick work: Celery's cost for a task is paid once.

Each delivery is still claimed, run and written on its own, through its own task with its own retries; but those whose
work is nothing but rows run together first (`bridge.worker.together`).
"""

import logging
import time
from functools import partial
from typing import Any

from celery import Task, current_app, shared_task
from celery.exceptions import Ignore, Retry
from celery.utils.imports import qualname

from bridge.daemon.publisher import BUNDLE_TASK, Coordinates, token_of
from bridge.message import Next
from bridge.outcome import put_back
from bridge.pgmq import pgmq_queue
from bridge.queues import BUNDLE_SECONDS, registry
from bridge.tries import this_process
from bridge.worker.task import HandedBack
from bridge.worker.together import Together, run_together

logger = logging.getLogger(__name__)


@shared_task(name=BUNDLE_TASK, bind=True)
def deliver_bundle(self: "Task[Any, Any]", queue: str, deliveries: list[Coordinates]) -> None:
    """Run each delivery `[msg_id, vt, trace_id, attempts used]` of `queue` through the queue's own task.

    None is started while the queue is held, nor later than `BUNDLE_SECONDS` after the first: the run lease counts on
    it. The rest goes back to the queue at once, no attempt charged, so slow work does not wait here while other workers
    idle.
    """
    task: Any = current_app.tasks[registry.get(queue).task]
    last_start = time.monotonic() + BUNDLE_SECONDS
    found = Together(alone=[*range(len(deliveries))])
    if task.transactional and not task.spec.services:
        found = run_together(task, deliveries, until=last_start)
    left, why = found.alone, found.why
    if not why:
        left, why = _run_alone(self, task, deliveries, found.alone, last_start=last_start)
    # What began and failed counts as read, or the next bundle would begin with it once more.
    _hand_back(queue, [deliveries[place] for place in left if place in found.begun], why, counted=True)
    _hand_back(queue, [deliveries[place] for place in [*left, *found.not_reached] if place not in found.begun], why)


def _run_alone(
    bundle: "Task[Any, Any]", task: Any, deliveries: list[Coordinates], places: list[int], *, last_start: float
) -> tuple[list[int], str]:
    """Run those at these places through their own task; returns the places that are to be handed back, and why."""
    queue, begun = task.pgmq_queue, None
    try:
        for number, place in enumerate(places):
            msg_id, vt, trace_id, attempts = deliveries[place]
            if begun is None and time.monotonic() > last_start:
                return places[number:], "the work is slow"
            rest = places[number + 1 :]
            offer = partial(_offer, task, deliveries[rest[0]], last_start) if rest else None
            about = {"retries": attempts, "id": f"{bundle.request.id}.{place}", "claimed": begun, "following": offer}
            task.push_request(**{**bundle.request.__dict__, **about})
            begun = None
            try:
                task(queue, msg_id, vt, trace_id)
            except HandedBack:
                return rest, "the queue is held"
            except (Ignore, Retry):
                continue
            except Exception as error:  # noqa: BLE001 - its outcome is written and logged by the task itself; the others must still run.
                logger.debug("%s %s: %s in a bundle", queue, msg_id, qualname(type(error)))
            finally:
                begun = task.request.get("begun")
                task.pop_request()
    except BaseException:
        if begun is not None:
            # It was to be the next, and the time is over.
            put_back(task.spec, begun, delay=0)
        raise
    return [], ""


def _offer(task: Any, delivery: Coordinates, last_start: float) -> Next | None:
    """The delivery that comes next, if it may be started now."""
    _msg_id, _vt, trace_id, attempts = delivery
    if time.monotonic() > last_start:
        return None
    return Next(token_of(delivery), task.spec.run_lease, attempts + 1, trace_id, this_process())


def _hand_back(queue: str, deliveries: list[Coordinates], why: str, *, counted: bool = False) -> None:
    if not deliveries:
        return
    released = pgmq_queue(queue).release(map(token_of, deliveries), counted=counted)
    logger.debug("%s: %s deliveries of a bundle handed back, %s", queue, released, why)
