"""One look at one queue: read what is due, archive what cannot run, publish the rest."""

import logging
import time
from dataclasses import dataclass, replace

from django.conf import settings

from bridge import outcome
from bridge.errors import TokenLost
from bridge.flow import Flow
from bridge.message import Delivery, LastError, Reason
from bridge.pgmq import pgmq_queue
from bridge.publisher import BrokerAway, Publisher
from bridge.queues import Queue
from bridge.trace import new_trace_id, traced

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Look:
    """What a look found. `full`: look again at once. `blocked`: the line is full, look again after the flow's pause."""

    published: int = 0
    archived: int = 0
    full: bool = False
    blocked: bool = False


class Drain:
    """Moves the messages of one queue into its Celery line. Keeps the flow of that line between looks."""

    def __init__(self, queue: Queue, publisher: Publisher) -> None:
        self.queue = queue
        self.pgmq = pgmq_queue(queue.name)
        self.flow = Flow()
        self._publisher = publisher

    def look(self) -> Look:
        """Read and publish once.

        Raises `BrokerAway` before anything is read, or after handing back what was read; `QueueMissing`; and Django's
        `OperationalError` when Postgres is away. None of them costs a message an attempt.
        """
        # The broker is asked first: while it is away nothing is read, so no lease and no read_ct is spent.
        self.flow.observe(self._publisher.line_length(self.queue.celery_queue), time.monotonic())
        room = self.flow.room
        if room <= 0:
            return Look(blocked=True)
        limit = min(settings.MAX_TASKS_PER_CYCLE, room)
        deliveries = self.pgmq.read(limit=limit, lease=settings.BRIDGE_DISPATCH_LEASE)
        runnable, ended = [], []
        for delivery in map(_with_trace_id, deliveries):
            end = _end_of(delivery, self.queue)
            if end is None:
                runnable.append(delivery)
            else:
                ended.append((delivery, *end))
        # Published first: trouble with the archive must not keep the others waiting for their lease.
        self._publish(runnable)
        archived = sum(self._archive(delivery, reason, error) for delivery, reason, error in ended)
        return Look(published=len(runnable), archived=archived, full=len(deliveries) == limit)

    def _publish(self, deliveries: list[Delivery]) -> None:
        if not deliveries:
            return
        try:
            sizes = self._publisher.publish(self.queue, deliveries, bundle_size=self.flow.bundle_size)
        except BrokerAway:
            # Whatever did get through finds its token spent.
            self.pgmq.release(delivery.token for delivery in deliveries)
            raise
        self.flow.published(sizes)

    def _archive(self, delivery: Delivery, reason: Reason, error: LastError) -> int:
        with traced(delivery.history.trace_id):
            message = self.pgmq.load(delivery.token)
            try:
                if message is None:
                    raise TokenLost(f"{delivery.queue} {delivery.msg_id} belongs to somebody else by now")
                outcome.fail(self.queue, message.with_history(delivery.history), reason, error)
            except TokenLost as lost:
                logger.warning("%s", lost)
                return 0
        return 1


def _end_of(delivery: Delivery, queue: Queue) -> tuple[Reason, LastError] | None:
    """Why a message that was just read must not run any more, or `None` when it may."""
    history = delivery.history
    if delivery.kind != "object":
        text = f"the message must be a JSON object, not {_WITH_ARTICLE.get(delivery.kind, delivery.kind)}"
        return Reason.INVALID_MESSAGE, LastError("InvalidMessage", text)
    if history.attempts < queue.most_attempts:
        return None
    if history.next_retry_at:
        # Only possible when the limit was lowered while the message waited for a repeat that was still allowed.
        return Reason.RETRIES_EXHAUSTED, history.last_error or LastError("RetriesExhausted", "no attempt left")
    return Reason.WORKER_LOST, LastError("WorkerLost", f"the worker died, or was ended, in attempt {history.attempts}")


_WITH_ARTICLE = {"array": "an array", "string": "a string", "number": "a number", "boolean": "a boolean"}


def _with_trace_id(delivery: Delivery) -> Delivery:
    if delivery.history.trace_id:
        return delivery
    return replace(delivery, history=replace(delivery.history, trace_id=new_trace_id()))
