"""One look at one queue: read what is due, archive what cannot run, publish the rest."""

import logging
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from django.conf import settings

from bridge import outcome
from bridge.daemon.flow import Flow
from bridge.daemon.publisher import Publisher
from bridge.daemon.screening import Order
from bridge.errors import BrokerAway, TokenLost
from bridge.message import Delivery, LastError, Message, Reason, Unreadable
from bridge.pgmq import TOO_LARGE, Outlook, QueueMissing, pgmq_queue
from bridge.postgres import is_outage
from bridge.queues import Queue
from bridge.sql.statements import FEW_MESSAGES
from bridge.trace import event, new_trace_id, traced

logger = logging.getLogger(__name__)

# How often the bridge itself may set to work on a message before it does so without looking at it.
MOST_OWN_TRIES = 3
# How often a queue is searched for messages that somebody else has hidden.
UNHIDE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Look:
    """What a look found. `full`: look again at once. `blocked`: the line is full, look again after the flow's pause.

    `asked_for`: the one message of a held queue that the look would have taken.
    """

    published: int = 0
    archived: int = 0
    full: bool = False
    blocked: bool = False
    asked_for: int | None = None


class Drain:
    """Moves the messages of one queue into its Celery line. Keeps that line's flow, and the order, between looks."""

    def __init__(self, queue: Queue, publisher: Publisher) -> None:
        self.queue = queue
        self.pgmq = pgmq_queue(queue.name)
        self.flow = Flow()
        self._order = Order(queue, self.pgmq)
        self._crowded = False
        self._let_through: int | None = None
        self._unhidden_at = -UNHIDE_SECONDS
        self._publisher = publisher

    def look(self) -> Look:
        """Read and publish once.

        Raises `BrokerAway` before anything is read, or after handing back what was read; `QueueMissing`; and Django's
        `OperationalError` when Postgres is away. None of them costs a message an attempt.
        """
        bundle_size, limit = 1, min(settings.MAX_TASKS_PER_CYCLE, FEW_MESSAGES)
        if not self._may_read_at_once():
            # The broker is asked first: while it is away nothing is read, so no lease and no read_ct is spent.
            self.observe(time.monotonic())
            room = self.flow.room
            if room <= 0:
                return Look(blocked=True)
            # Of quick work a bundle is one task.
            bundle_size = self.flow.bundle_size
            limit = min(settings.MAX_TASKS_PER_CYCLE * bundle_size, room)
        self.unhide()
        asked_for, ids = self._let_through, [self._let_through] if self._let_through is not None else None
        if ids is None:
            ids = self._order.next_ids(limit, crowded=self._crowded)
        lease = settings.BRIDGE_DISPATCH_LEASE
        deliveries = [] if ids == [] else self.pgmq.read(limit=limit, lease=lease, ids=ids)
        if ids is not None:
            place = {msg_id: number for number, msg_id in enumerate(ids)}
            deliveries.sort(key=lambda delivery: place[delivery.msg_id])
        self._crowded = len(deliveries) == limit
        runnable, ended, kept = [], [], []
        for delivery in map(_with_trace_id, deliveries):
            end = _end_of(delivery, self.queue)
            if delivery.kept:
                kept.append(delivery)
            elif end is None:
                runnable.append(delivery)
            else:
                ended.append((delivery, *end))
        # Published first: trouble with the archive must not keep the others waiting for their lease.
        self._publish(runnable, bundle_size=bundle_size)
        archived = sum(self._archive(delivery, reason, error) for delivery, reason, error in ended)
        for delivery in kept:
            self._write_kept(delivery)
        return Look(published=len(runnable), archived=archived, full=self._crowded, asked_for=asked_for)

    def _may_read_at_once(self) -> bool:
        """Whether a few messages may be read before the broker is asked how long the line is, for they wait for that.

        Not where more of them wait, nor after the broker has failed. Does it fail now, what was read is handed back.
        """
        if self._crowded or self._let_through is not None or not self._publisher.is_open:
            return False
        return self.flow.has_room_for_few(time.monotonic())

    def observe(self, now: float) -> None:
        """Ask the broker how long the line is. Raises `BrokerAway`."""
        self.flow.observe(self._publisher.line_length(self.queue.celery_queue), now)

    def outlook(self) -> Outlook:
        """What the next look can find. Of a queue that is held it will ask for nothing but what is let through."""
        outlook = self.pgmq.outlook()
        self._let_through = outlook.let_through
        return outlook

    def unhide(self) -> None:
        """Whoever may call Supabase's `pgmq_read` can hide any message, for years. Looked for twice a minute."""
        if time.monotonic() < self._unhidden_at + UNHIDE_SECONDS:
            return
        self._unhidden_at = time.monotonic()
        found = self.pgmq.unhide(longest=max(settings.BRIDGE_DISPATCH_LEASE, self.queue.run_lease))
        if found:
            logger.warning(
                "%s: somebody else had hidden %s messages, which are visible again; queue_status names who can do that",
                self.queue.name,
                found,
            )

    def _publish(self, deliveries: list[Delivery], *, bundle_size: int) -> None:
        if not deliveries:
            return
        try:
            sizes = self._publisher.publish(self.queue, deliveries, bundle_size=bundle_size)
        except BrokerAway:
            # Whatever did get through finds its token spent.
            self.pgmq.release(delivery.token for delivery in deliveries)
            raise
        self.flow.published(sizes, time.monotonic())

    def _archive(self, delivery: Delivery, reason: Reason, error: LastError) -> int:
        # What the bridge does here is the one work on a message that no attempt counts. So it is counted by itself, and
        # before it begins: a message that ends the process must not find the next one as helpless.
        tries = delivery.history.own_tries
        with _working_on(delivery):
            try:
                if tries >= MOST_OWN_TRIES:
                    message = self._loaded(delivery, unread=f"it ended the bridge {tries} times")
                    outcome.fail(self.queue, message, reason, error, journal=False)
                else:
                    message = self._loaded(delivery, unread=TOO_LARGE if delivery.kind == "too_large" else "")
                    outcome.fail(self.queue, message, reason, error)
            except TokenLost as lost:
                logger.warning("%s", lost, extra=event("rolled_back"))
                return 0
            except QueueMissing:
                raise
            except Exception as trouble:  # Whatever it is, it is about this message: the others have their turn.
                if is_outage(trouble):
                    raise
                logger.exception(
                    "%s %s could not be archived", delivery.queue, delivery.msg_id, extra=event("not_archived")
                )
                return 0
        return 1

    def _loaded(self, delivery: Delivery, *, unread: str) -> Message:
        self.pgmq.note_own_try(delivery.token, tries=delivery.history.own_tries + 1)
        message = self.pgmq.load_unread(delivery.token) if unread else self.pgmq.load(delivery.token)
        if message is None:
            raise TokenLost(f"{delivery.queue} {delivery.msg_id} belongs to somebody else by now")
        message = message.with_history(delivery.history)
        return replace(message, body=Unreadable(unread)) if unread else message

    def _write_kept(self, delivery: Delivery) -> None:
        with _working_on(delivery):
            try:
                outcome.write_kept(self.queue, delivery)
            except TokenLost as lost:
                logger.warning("%s", lost, extra=event("rolled_back"))


def _working_on(delivery: Delivery) -> AbstractContextManager[None]:
    history = delivery.history
    return traced(history.trace_id, queue=delivery.queue, msg_id=delivery.msg_id, attempt=history.attempts)


def _end_of(delivery: Delivery, queue: Queue) -> tuple[Reason, LastError] | None:
    """Why a message that was just read must not run any more, or `None` when it may."""
    history = delivery.history
    if delivery.kind == "too_large":
        return Reason.INVALID_MESSAGE, LastError("InvalidMessage", f"the message was not read: {TOO_LARGE}")
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
