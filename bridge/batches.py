"""Loops over rows that others write: what is wrong with one of them is its own business."""

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

from django.db import connection, transaction

from bridge.pgmq import POSTGRES_AWAY

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
            if isinstance(error, POSTGRES_AWAY) and not connection.is_usable():
                raise
            logger.exception("the %s %s is left out, the others are not", what, key)
    return done
