"""Writes how an attempt ended: the message's new state and the domain's rows in one transaction, token-guarded.

What Postgres refuses to write on the message itself is kept in a table of ours, in one transaction with the domain's
rows, and written by the bridge later: an effect must not be repeated because its outcome has no place.
"""

import logging
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from bridge.errors import DuplicateMessage, InvalidMessage, NotKept, PermanentError, Refused, TokenLost
from bridge.journals import tell_journal
from bridge.kept import Repeat, keep, take
from bridge.message import Delivery, Ending, LastError, Message, Next, Outcome, Reason
from bridge.pgmq import POSTGRES_AWAY, NotArchivable, QueueMissing, pgmq_queue
from bridge.postgres import first_line, is_locked, is_outage
from bridge.queues import Queue
from bridge.record import Statement
from bridge.seldom import Seldom
from bridge.trace import event
from bridge.trouble.explain import is_mistake

logger = logging.getLogger(__name__)

T = TypeVar("T")

MOST_ERROR_CHARACTERS = 1000
# Strangers may have any number of messages refused: that is no error of ours, and must not fill the log of errors.
_refusals = Seldom()
_PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0)


def describe_error(error: BaseException) -> LastError:
    """Return the error as people read it: its class, and its text bounded and without control characters."""
    text = "".join(character if character.isprintable() else " " for character in str(error))
    return LastError(type(error).__name__, text.strip()[:MOST_ERROR_CHARACTERS] or "no message")


def ending_of(error: Exception) -> Ending:
    """How a message ends whose handler raises this error and gets no repeat."""
    match error:
        case DuplicateMessage():
            return Ending(Outcome.DUPLICATE, None, describe_error(error), error.original)
        case InvalidMessage():
            reason = Reason.INVALID_MESSAGE
        case Refused():
            reason = Reason.REFUSED
        case PermanentError():
            reason = Reason.PERMANENT_ERROR
        case _:
            reason = Reason.RETRIES_EXHAUSTED
    return Ending(Outcome.FAILED, reason, describe_error(error))


def while_postgres_is_away(write: Callable[[], T], *, seconds: float, mistakes: bool = True) -> T:
    """Run `write`, repeating it on a fresh connection while Postgres cannot be reached, for at most `seconds`.

    Without `mistakes` only as long as waiting alone may help, and no person has to change something first.

    Only for compare-and-set writes: when the answer to a commit was lost, the repeat finds its token spent and changes
    nothing. Raises the last database error when the time is up.
    """
    deadline = time.monotonic() + seconds
    for pause in [*_PAUSES, *([_PAUSES[-1]] * int(seconds))]:
        try:
            return write()
        except POSTGRES_AWAY as error:
            if not is_outage(error):
                raise
            connection.close()
            if time.monotonic() + pause > deadline or (not mistakes and is_mistake(error)):
                raise
            logger.warning(
                "Postgres is not reachable, trying again in %.1f s: %s", pause, describe_error(error).message
            )
            time.sleep(pause)
    return write()


def succeed(
    queue: Queue, message: Message, record: Callable[[], None] | None, following: Next | None = None
) -> Message | None:
    """Archive the message as succeeded together with the rows that `record` writes. Raises `TokenLost`.

    With it the attempt of the `following` message begins, which is returned, if it could be claimed so.
    """
    claimed = _succeed(queue, message, record, following)
    logger.info(
        "%s %s: done at attempt %s", queue.name, message.msg_id, message.history.attempts, extra=event("succeeded")
    )
    return claimed


def _succeed(
    queue: Queue, message: Message, record: Callable[[], None] | None, following: Next | None
) -> Message | None:
    """In one go where that can be: without rows, or with rows that are one statement."""
    if not isinstance(record, Statement | None):
        return _finish(queue, message, Ending(Outcome.SUCCEEDED), then=record, following=following)
    try:
        return _write_success(queue.name, message, record, following)
    except (DatabaseError, NotArchivable, QueueMissing) as error:
        if is_outage(error) and not is_locked(error):
            raise
        # No row is written. What cannot be, and whose affair that is, shows step by step.
        _finish(queue, message, Ending(Outcome.SUCCEEDED), then=record)
        return None


def _write_success(queue: str, message: Message, rows: Statement | None, following: Next | None) -> Message | None:
    ours, claimed = pgmq_queue(queue).succeed(message, rows=rows, following=following)
    if not ours:
        raise TokenLost(f"{queue} {message.msg_id} belongs to somebody else by now")
    return claimed


def discard_duplicate(queue: Queue, message: Message, *, why: str, original: int | None) -> None:
    """Archive the message as a duplicate of another one. Raises `TokenLost`."""
    _finish(queue, message, Ending(Outcome.DUPLICATE, error=LastError("DuplicateMessage", why), original=original))
    logger.info("%s %s: archived as a duplicate: %s", queue.name, message.msg_id, why, extra=event("duplicate"))


def fail(queue: Queue, message: Message, reason: Reason, error: LastError, *, journal: bool = True) -> None:
    """Archive the message as failed for good. Raises `TokenLost`."""

    def tell_journal() -> None:
        _tell(queue, lambda: queue.journal.failed(message, reason, error))

    ending = Ending(Outcome.FAILED, reason=reason, error=error)
    _finish(queue, message, ending, then=tell_journal if journal else None)
    if reason == Reason.REFUSED:
        logger.info("%s %s: refused: %s", queue.name, message.msg_id, error.message, extra=event("refused"))
        if number := _refusals.tell(queue.name):
            logger.warning("%s: messages refused: %s more, the last one: %s", queue.name, number, error.message)
        return
    logger.error(
        "%s %s: failed for good (%s): %s: %s",
        *(queue.name, message.msg_id, reason, error.type, error.message),
        extra=event("failed", reason=reason.value, error_type=error.type),
    )


def schedule_retry(queue: Queue, message: Message, error: LastError, *, delay: float) -> datetime:
    """Hide the message for `delay` seconds and note why; returns when it is due. Raises `TokenLost`."""
    try:
        with transaction.atomic():
            due = pgmq_queue(queue.name).retry(message.token, delay=delay, error=error, seconds=message.seconds)
            if due is None:
                raise TokenLost(f"{queue.name} {message.msg_id} belongs to somebody else by now")
            _tell(queue, partial(queue.journal.retry_scheduled, message, error, due))
    except (DatabaseError, QueueMissing) as refusal:
        if is_outage(refusal):
            raise
        due = timezone.now() + timedelta(seconds=delay)
        journal = partial(queue.journal.retry_scheduled, message, error, due)
        keep(queue.name, message, Repeat(error, due), refusal, then=lambda: _tell(queue, journal))
    attempt, most = message.history.attempts, queue.most_attempts
    logger.warning(
        "%s %s: attempt %s of %s failed, next in %g s: %s: %s",
        *(queue.name, message.msg_id, attempt, most, delay, error.type, error.message),
        extra=event("retry_scheduled", delay=delay, error_type=error.type),
    )
    return due


def put_back(queue: Queue, message: Message, *, delay: float) -> None:
    """Hide the message for `delay` seconds as if this attempt had never begun. Raises `TokenLost`.

    Where Postgres refuses that, the message comes again when its lease has run out.
    """
    try:
        ours = pgmq_queue(queue.name).put_back(message.token, delay=delay, attempts=message.history.attempts - 1)
    except (DatabaseError, QueueMissing) as refusal:
        if is_outage(refusal):
            raise
        logger.warning(
            "%s %s: not put back: %s", queue.name, message.msg_id, first_line(refusal), extra=event("not_put_back")
        )
        return
    if not ours:
        raise TokenLost(f"{queue.name} {message.msg_id} belongs to somebody else by now")
    logger.debug(
        "%s %s: put back for %g s, its turn comes later",
        *(queue.name, message.msg_id, delay),
        extra=event("put_back", delay=delay),
    )


def await_service(queue: Queue, message: Message, error: LastError, *, due: datetime) -> None:
    """Make the message visible as if this attempt had never begun: the queue is held until a service is back.

    `due` is when that is looked at next. Raises `TokenLost`, and what Postgres refuses.
    """
    uncounted = message.with_history(replace(message.history, attempts=message.history.attempts - 1))
    with transaction.atomic():
        if not pgmq_queue(queue.name).put_back(message.token, delay=0, attempts=uncounted.history.attempts):
            raise TokenLost(f"{queue.name} {message.msg_id} belongs to somebody else by now")
        _tell(queue, partial(queue.journal.retry_scheduled, uncounted, error, due))
    logger.info(
        "%s %s: waits for a service, this attempt does not count: %s: %s",
        *(queue.name, message.msg_id, error.type, error.message),
        extra=event("waits_for_service", error_type=error.type),
    )


def write_kept(queue: Queue, delivery: Delivery) -> bool:
    """Write the outcome that was kept for this message onto it; returns whether that works by now."""
    try:
        with transaction.atomic():
            kept = take(delivery)
            if kept is None:
                return False
            _write(queue.name, delivery, kept)
    except (DatabaseError, NotArchivable, QueueMissing) as error:
        if is_outage(error):
            raise
        logger.error(
            "%s %s: its work is done, and its outcome still cannot be written, which is tried again: %s",
            *(queue.name, delivery.msg_id, first_line(error)),
            extra=event("outcome_kept"),
        )
        return False
    logger.info(
        "%s %s: the outcome that was kept for it is written",
        *(queue.name, delivery.msg_id),
        extra=event("outcome_written"),
    )
    return True


def _finish(
    queue: Queue,
    message: Message,
    ending: Ending,
    *,
    then: Callable[[], None] | None = None,
    following: Next | None = None,
) -> Message | None:
    rows_written, claimed = True, None
    try:
        # First the message, then the rows: its lock shows at once whether this is still ours to write. Alone, the
        # statement is a transaction of its own, which saves two round trips.
        with transaction.atomic() if then is not None else nullcontext():
            if following is None:
                _write(queue.name, message, ending)
            else:
                claimed = _write_success(queue.name, message, None, following)
            if then is not None:
                rows_written = False
                then()
                rows_written = True
    except (DatabaseError, NotArchivable, QueueMissing) as error:
        # Rows that cannot be written are the handler's own affair, and a reason to repeat.
        if not rows_written or (is_outage(error) and not is_locked(error)):
            raise
        try:
            keep(queue.name, message, ending, error, then=then)
        except NotKept as refusal:
            # So are those that only the commit refuses, whatever is written beside them.
            if then is not None and isinstance(refusal.__cause__, IntegrityError):
                raise refusal.__cause__ from error
            raise
        return None
    return claimed


def _write(queue: str, held: Delivery | Message, ending: Ending | Repeat) -> None:
    pgmq = pgmq_queue(queue)
    if isinstance(ending, Ending):
        ours = pgmq.finish(
            held,
            ending.outcome,
            reason=ending.reason,
            error=ending.error,
            original=ending.original,
            # An outcome that was kept is written by another process, and later.
            seconds=held.seconds if isinstance(held, Message) else None,
        )
    else:
        delay = max(0.0, (ending.due - timezone.now()).total_seconds())
        ours = pgmq.retry(held.token, delay=delay, error=ending.error) is not None
    if not ours:
        raise TokenLost(f"{queue} {held.msg_id} belongs to somebody else by now")


def _tell(queue: Queue, note: Callable[[], None]) -> None:
    tell_journal(queue.name, note)
