"""Loops over rows that others write: what is wrong with one of them is its own business."""

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

from django.db import transaction

from bridge.pgmq import QueueMissing, pgmq_queue
from bridge.postgres import is_outage

logger = logging.getLogger(__name__)

T = TypeVar("T")


def one_by_one(keys: Iterable[T], act: Callable[[T], bool], *, what: str) -> int:
    """Call `act` for each key in a transaction of its own; returns how often it said that it did something.

    What one of them raises is logged with its key and keeps none of the others from their turn. Only the loss of the
    database ends the loop: it is raised. `what` names in the log what the keys are.
    """
    done = 0
    for key in keys:
        try:
            with transaction.atomic():
                done += act(key)
        except Exception as error:  # Whatever it is, it is about this one: the log has its name and the traceback.
            if is_outage(error):
                raise
            logger.exception("the %s %s is left out, the others are not", what, key)
    return done


def without_message(rows: Iterable[tuple[T, str, int | None]]) -> list[T]:
    """Of rows `(key, queue, msg_id)` the keys whose message is in its queue no more, in their order.

    All are looked at, with one question a queue: however many only wait for a worker, they must not keep the lost ones
    behind them from their turn.
    """
    known = list(rows)
    ids: dict[str, list[int]] = {}
    for _, queue, msg_id in known:
        if msg_id is not None:
            ids.setdefault(queue, []).append(msg_id)
    queued: set[tuple[str, int | None]] = set()
    for queue, wanted in ids.items():
        try:
            queued.update((queue, msg_id) for msg_id in pgmq_queue(queue).queued_among(wanted))
        except QueueMissing:
            # Then none of them is queued.
            continue
    return [key for key, queue, msg_id in known if (queue, msg_id) not in queued]
