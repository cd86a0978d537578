"""The worker's note that it lives, from the loop that takes tasks: one that hangs tells nothing."""

import logging
import time
from typing import Any

from celery import bootsteps, signals
from celery.worker import state as worker_state

from bridge.processes.pulse import INTERVAL_SECONDS, Kind, Pulse

logger = logging.getLogger(__name__)

# How much longer than its hard time limit a task may be seen to run; and how long one without a limit.
MARGIN_SECONDS, UNLIMITED_SECONDS = 30.0, 900.0


class HeartStep(bootsteps.StartStopStep):
    """Begins anew with each connection to the broker, as the timers end with it."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._timer: Any = None
        self._says_hung = False

    def start(self, consumer: Any) -> None:
        self.stop(consumer)
        self._beat(consumer)
        self._timer = consumer.timer.call_repeatedly(INTERVAL_SECONDS, self._beat, (consumer,))

    def stop(self, consumer: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    shutdown = stop

    def _beat(self, consumer: Any) -> None:
        # With `--autoscale` it takes as many tasks as it may ever have children, and makes those then.
        children = consumer.controller.max_concurrency or consumer.pool.num_processes
        hung = all_children_hang(worker_state.active_requests, children=children, now=time.time())
        if hung != self._says_hung:
            logger.log(logging.ERROR if hung else logging.WARNING, "%s", _HUNG if hung else "a child takes tasks again")
        self._says_hung = hung
        if not hung:
            pulse().beat(children=children)


_HUNG = "no child has taken a task for longer than any may run: this worker counts as dead, restart it"


def all_children_hang(running: Any, *, children: int, now: float) -> bool:
    """Whether as many tasks as there are children run for longer than the time limit lets any run."""
    late = 0
    for request in list(running):
        limit = request.time_limits[0] or getattr(request.task, "time_limit", None) or UNLIMITED_SECONDS
        late += bool(request.time_start) and now - request.time_start > limit + MARGIN_SECONDS
    return late >= max(1, children)


_pulses: list[Pulse] = []


def pulse() -> Pulse:
    """That of this worker's main process."""
    if not _pulses:
        _pulses.append(Pulse(Kind.WORKER))
    return _pulses[0]


@signals.worker_shutting_down.connect
def say_that_it_ends(**_: Any) -> None:
    pulse().stop()
