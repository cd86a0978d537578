"""Deliveries of one queue run in one transaction of Postgres: for handlers whose work is nothing but rows.

All are locked by their tokens, each runs within a savepoint, those that succeed are archived by one statement, and one
commit ends it all. Whatever goes wrong leaves no trace, and goes the ordinary way: claimed, run and written alone. So
do messages that were read before, as one of them may have ended the worker that had it; what a killed worker did here
is undone and was no attempt, and the message comes again as one that was read before.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded
from django.db import connection, transaction
from django.utils import timezone

from bridge.daemon.publisher import Coordinates, token_of
from bridge.errors import TokenLost
from bridge.message import Done, History, Unreadable
from bridge.pgmq import PgmqQueue, pgmq_queue
from bridge.postgres import first_line
from bridge.trace import event, traced
from bridge.tries import this_process
from bridge.worker.savepoint import Savepoints

logger = logging.getLogger(__name__)

# How often it is asked whether the queue is held by now: a claim asks each time.
LOOK_SECONDS = 0.1


@dataclass(slots=True)
class Together:
    """What became of the deliveries that are not done: the places of those that go the ordinary way, which of them have
    `begun` here, and those that were not reached, as `why` says. Then nothing more may be started.
    """

    alone: list[int] = field(default_factory=list)
    begun: set[int] = field(default_factory=set)
    not_reached: list[int] = field(default_factory=list)
    why: str = ""


@dataclass(frozen=True, slots=True)
class _Run:
    """A message that did its work here, as it is told in the log."""

    done: Done
    begun: float


def run_together(task: Any, deliveries: Sequence[Coordinates], *, until: float) -> Together:
    """Run what may be run in one transaction; none is started after the monotonic time `until`."""
    found, runs = Together(), list[_Run]()
    try:
        with transaction.atomic(durable=True):
            runs = _run_all(task, deliveries, found, until=until)
            _finish(pgmq_queue(task.pgmq_queue), runs)
    except SoftTimeLimitExceeded:
        # Nothing was done. All come again, as messages that were read before.
        logger.warning("%s: a bundle took too long, and is undone", task.pgmq_queue, extra=event("bundle_rolled_back"))
        return Together(why="the work is slow")
    except Exception as error:  # noqa: BLE001 - where the commit came through all the same, their tokens are spent.
        logger.warning(
            "%s: %s deliveries of a bundle are run one by one, as together they could not be: %s: %s",
            *(task.pgmq_queue, len(deliveries), type(error).__name__, first_line(error)),
            extra=event("bundle_rolled_back"),
        )
        return Together(alone=[*range(len(deliveries))], begun={*range(len(deliveries))})
    for run in runs:
        message = run.done.token.msg_id
        with traced(run.done.trace_id, queue=task.pgmq_queue, msg_id=message, attempt=1, begun=run.begun):
            logger.info("%s %s: done at attempt 1", task.pgmq_queue, message, extra=event("succeeded"))
    return found


def _run_all(task: Any, deliveries: Sequence[Coordinates], found: Together, *, until: float) -> list[_Run]:
    queue = pgmq_queue(task.pgmq_queue)
    messages, locked_at = queue.take_together(map(token_of, deliveries))
    clock = _Clock(locked_at or timezone.now())
    runs, look_at = list[_Run](), time.monotonic() + LOOK_SECONDS
    with Savepoints.watching(connection) as savepoints:
        for place, (msg_id, _vt, trace_id, _attempts) in enumerate(deliveries):
            message = messages.get(msg_id)
            if message is None or isinstance(message.body, Unreadable):
                found.alone.append(place)
                continue
            now = time.monotonic()
            if now >= look_at:
                look_at = now + LOOK_SECONDS
                if queue.is_held():
                    found.why = "the queue is held"
            if now > until:
                found.why = "the work is slow"
            if found.why:
                found.not_reached.append(place)
                continue
            message = replace(message, history=_begun(message.history, trace_id, clock.at(now)), begun=now)
            with traced(trace_id, queue=queue.name, msg_id=msg_id, attempt=1, begun=now):
                try:
                    with savepoints.one():
                        record = task.handler(message)
                        if record is not None:
                            record()
                except SoftTimeLimitExceeded:
                    # It comes again as one that was read before. Its time is that of all, and is over.
                    found.why = "the work is slow"
                    logger.warning("%s %s: not done within the time of a bundle", queue.name, msg_id)
                    continue
                except Exception as error:  # noqa: BLE001 - whatever it is, it is told when the message has run alone.
                    logger.debug("%s %s: leaves its bundle: %s", queue.name, msg_id, type(error).__name__)
                    found.alone.append(place)
                    found.begun.add(place)
                    continue
            runs.append(_Run(Done(message.token, trace_id, clock.at(now), time.monotonic() - now), now))
    return runs


def _finish(queue: PgmqQueue, runs: list[_Run]) -> None:
    if runs and queue.finish_together([run.done for run in runs], worker=this_process()) != len(runs):
        raise TokenLost(f"{queue.name}: not all of a bundle were its own any more")


def _begun(history: History, trace_id: str, moment: datetime) -> History:
    """What a claim would have written."""
    at = moment.isoformat()
    return replace(
        history,
        attempts=1,
        trace_id=trace_id,
        first_attempt_at=history.first_attempt_at or at,
        last_attempt_at=at,
        next_retry_at=None,
        own_tries=0,
    )


class _Clock:
    """Postgres' time, read once."""

    def __init__(self, moment: datetime) -> None:
        self._moment, self._read_at = moment, time.monotonic()

    def at(self, monotonic: float) -> datetime:
        return self._moment + timedelta(seconds=monotonic - self._read_at)
