"""Puts a message that failed for good back into its queue: a new message with the same body and a link to the old."""

import logging
from collections.abc import Callable

from django.db import DatabaseError, transaction

from bridge.errors import BridgeError
from bridge.message import Outcome, Reason
from bridge.pgmq import FailedMessage, pgmq_queue
from bridge.postgres import is_outage

logger = logging.getLogger(__name__)


class NotRequeueable(BridgeError):
    """This message cannot be put back; the kind says why. The text is for the command line."""

    code = "not_requeueable"


class StillQueued(NotRequeueable):
    """The message has not ended yet."""


class NoSuchMessage(NotRequeueable):
    """The message is neither in the queue nor in its archive."""


class RequeuedBefore(NotRequeueable):
    """The message was put back already, as message `requeued_as`."""


class DidNotFail(NotRequeueable):
    """The message ended well, or somebody else archived it."""


def requeue_message(*, queue: str, msg_id: int) -> int:
    """Send an archived, failed message again and return the id of the new message.

    The new one starts with all its attempts. Raises `NotRequeueable`, and `QueueMissing` for an unknown queue.
    """
    pgmq = pgmq_queue(queue)
    with transaction.atomic():
        locked = pgmq.lock_archived(msg_id)
        if locked is None:
            queued = pgmq.is_queued(msg_id)
            kind, where = (StillQueued, "is still in the queue") if queued else (NoSuchMessage, "does not exist")
            raise kind(f"{queue} {msg_id} {where}; only messages that failed for good can be put back", msg_id=msg_id)
        outcome, requeued_as = locked.get("outcome"), locked.get("requeued_as")
        if requeued_as is not None:
            text = f"{queue} {msg_id} was put back before, as message {requeued_as}"
            raise RequeuedBefore(text, msg_id=msg_id, requeued_as=requeued_as)
        if outcome != Outcome.FAILED:
            raise DidNotFail(f"{queue} {msg_id} did not fail (outcome: {outcome or 'not recorded'})", msg_id=msg_id)
        new_id = pgmq.copy_archived(msg_id)
        pgmq.mark_requeued(msg_id, new_id=new_id)
    return new_id


def requeue_failed(
    *,
    queue: str,
    reason: Reason | None = None,
    wanted: Callable[[FailedMessage], bool] | None = None,
    tell: Callable[[int, int], None] | None = None,
    most: int | None = None,
) -> int:
    """Put back every failed message of a queue that was not put back yet, oldest first, each in its own transaction.

    Those that our rules refuse would be refused again: they are put back when `reason` says so. What fails while this
    runs is left alone, or a message that fails at once would be put back for ever. `wanted` says which of the others,
    by history and time of failure. Calls `tell(old id, new id)` after each; `most` bounds how many. Returns how many
    were put back.
    """
    pgmq, after, count = pgmq_queue(queue), 0, 0
    until = pgmq.now()
    while most is None or count < most:
        page = pgmq.failed(after=after, limit=100, reason=reason, until=until)
        if not page:
            break
        for failed in page:
            if most is not None and count == most:
                break
            after = failed.msg_id
            if wanted is not None and not wanted(failed):
                continue
            try:
                new_id = requeue_message(queue=queue, msg_id=failed.msg_id)
            except NotRequeueable:
                continue  # Somebody else put it back since the page was read.
            except DatabaseError as error:
                if is_outage(error):
                    raise
                logger.error("%s %s is left out, Postgres says: %s", queue, failed.msg_id, str(error).strip())
                continue
            count += 1
            if tell is not None:
                tell(failed.msg_id, new_id)
    return count
