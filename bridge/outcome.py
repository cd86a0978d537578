"""Writes how an attempt ended: the message's new state and the domain's rows in one transaction, token-guarded."""

import logging
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime
from typing import TypeVar

from django.db import connection, transaction

from bridge.errors import TokenLost
from bridge.message import LastError, Message, Outcome, Reason
from bridge.pgmq import POSTGRES_AWAY, pgmq_queue
from bridge.queues import Queue

logger = logging.getLogger(__name__)

T = TypeVar("T")

MOST_ERROR_CHARACTERS = 1000
_PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0)


def describe_error(error: BaseException) -> LastError:
    """Return the error as people read it: its class, and its text bounded and without control characters."""
    text = "".join(character if character.isprintable() else " " for character in str(error))
    return LastError(type(error).__name__, text.strip()[:MOST_ERROR_CHARACTERS] or "no message")


def while_postgres_is_away(write: Callable[[], T], *, seconds: float) -> T:
    """Run `write`, repeating it on a fresh connection while Postgres cannot be reached, for at most `seconds`.

    Only for compare-and-set writes: when the answer to a commit was lost, the repeat finds its token spent and changes
    nothing. Raises the last database error when the time is up.
    """
    deadline = time.monotonic() + seconds
    for pause in [*_PAUSES, *([_PAUSES[-1]] * int(seconds))]:
        try:
            return write()
        except POSTGRES_AWAY as error:
            connection.close()
            if time.monotonic() + pause > deadline:
                raise
            logger.warning(
                "Postgres is not reachable, trying again in %.1f s: %s", pause, describe_error(error).message
            )
            time.sleep(pause)
    return write()


def succeed(queue: Queue, message: Message, record: Callable[[], None] | None) -> None:
    """Archive the message as succeeded together with the rows that `record` writes. Raises `TokenLost`."""
    _finish(queue, message, Outcome.SUCCEEDED, then=record)
    logger.info("%s %s: done at attempt %s", queue.name, message.msg_id, message.history.attempts)


def discard_duplicate(queue: Queue, message: Message, *, why: str, original: int | None) -> None:
    """Archive the message as a duplicate of another one. Raises `TokenLost`."""
    _finish(queue, message, Outcome.DUPLICATE, error=LastError("DuplicateMessage", why), original=original)
    logger.info("%s %s: archived as a duplicate: %s", queue.name, message.msg_id, why)


def fail(queue: Queue, message: Message, reason: Reason, error: LastError) -> None:
    """Archive the message as failed for good. Raises `TokenLost`."""

    def tell_journal() -> None:
        _tell(queue, lambda: queue.journal.failed(message, reason, error))

    _finish(queue, message, Outcome.FAILED, reason=reason, error=error, then=tell_journal)
    logger.error("%s %s: failed for good (%s): %s: %s", queue.name, message.msg_id, reason, error.type, error.message)


def schedule_retry(queue: Queue, message: Message, error: LastError, *, delay: float) -> datetime:
    """Hide the message for `delay` seconds and note why; returns when it is due. Raises `TokenLost`."""
    with transaction.atomic():
        due = pgmq_queue(queue.name).retry(message.token, delay=delay, error=error)
        if due is None:
            raise TokenLost(f"{queue.name} {message.msg_id} belongs to somebody else by now")
        _tell(queue, lambda: queue.journal.retry_scheduled(message, error, due))
    attempt, most = message.history.attempts, queue.most_attempts
    logger.warning(
        "%s %s: attempt %s of %s failed, next in %g s: %s: %s",
        *(queue.name, message.msg_id, attempt, most, delay, error.type, error.message),
    )
    return due


def _finish(
    queue: Queue,
    message: Message,
    outcome: Outcome,
    *,
    reason: Reason | None = None,
    error: LastError | None = None,
    original: int | None = None,
    then: Callable[[], None] | None = None,
) -> None:
    # First the message, then the rows: its lock shows at once whether this is still ours to write. Alone, the statement
    # is a transaction of its own, which saves two round trips.
    with transaction.atomic() if then is not None else nullcontext():
        if not pgmq_queue(queue.name).finish(message, outcome, reason=reason, error=error, original=original):
            raise TokenLost(f"{queue.name} {message.msg_id} belongs to somebody else by now")
        if then is not None:
            then()


def _tell(queue: Queue, note: Callable[[], None]) -> None:
    """Let the journal write; what it cannot write must not keep the message from its outcome."""
    try:
        with transaction.atomic():
            note()
    except POSTGRES_AWAY:
        raise
    except Exception:  # A journal's mistake: the ledger stays right, the log has the traceback.
        logger.exception("%s: the journal could not note the outcome", queue.name)
