"""Adds to the roll-up what was archived since: each message once, in short transactions, whoever else does the same."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, connection, transaction

from bridge.models import RolledQueue
from bridge.pgmq import PgmqQueue, QueueMissing, pgmq_queue, queue_names
from bridge.postgres import first_line, is_locked, is_outage
from bridge.queues import registry
from bridge.rights import RowsHidden, queue_tables, require_sight
from bridge.rollup.ready import is_ready
from bridge.seldom import Seldom

logger = logging.getLogger(__name__)

# Messages of one transaction, which takes a fraction of a second.
CHUNK = 2000
# Of one pass: beat asks for the next one soon.
MOST_SECONDS = 20.0

_left_alone = Seldom()


def roll_up_all(*, seconds: float = MOST_SECONDS) -> int:
    """Add what is new in every archive, as far as that time goes; returns how many messages were added.

    What cannot be read is left alone, and the log says so once an hour.
    """
    if not is_ready():
        return 0
    deadline, added = time.monotonic() + seconds, 0
    for name in all_queues():
        with left_alone(name, "is left out of the roll-up"):
            added += roll_up(name, until=deadline)
    return added


def all_queues() -> list[str]:
    """Those that pgmq lists and those that we handle, whose list may be closed to us."""
    try:
        require_sight("pgmq.meta")
        names = queue_names()
    except RowsHidden as hidden:
        _tell("pgmq.meta", f"no queue can be rolled up: {hidden}")
        return []
    return [*names, *(queue.name for queue in registry if queue.name not in names)]


@contextmanager
def left_alone(name: str, what: str) -> Iterator[None]:
    """Go on with the next queue where this one cannot be worked on, and say so. An outage is none of a queue's."""
    try:
        yield
    except QueueMissing:
        # It is told where queues are looked at: nothing of it is missed here.
        return
    except RowsHidden as error:
        _tell(name, f"{what}: {error}")
    except DatabaseError as error:
        if is_outage(error) and not is_locked(error):
            raise
        _tell(name, f"{what}: {first_line(error)}")


def roll_up(name: str, *, until: float | None = None, chunk: int = CHUNK) -> int:
    """Add what is new in the archive of one queue, until that monotonic time; returns how many messages were added.

    Two at once do not wait for one another: the second one finds nothing to do.
    """
    pgmq, added = pgmq_queue(name), 0
    if not RolledQueue.objects.filter(queue=name).exists():
        # By itself, so that nobody waits for whoever is first.
        require_sight(*queue_tables(name), "pgmq.meta")
        pgmq.look()
        pgmq.begin_rolling()
    while True:
        latest = _add_chunk(pgmq, chunk)
        added += latest or 0
        if latest is None or latest < chunk or (until is not None and time.monotonic() > until):
            return added


def _add_chunk(pgmq: PgmqQueue, chunk: int) -> int | None:
    """`None`: somebody else is at it."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            # Who puts a message back holds it; that it waits for us, or we for it, is not worth more.
            cursor.execute("SET LOCAL lock_timeout TO '2s'")
        require_sight(*queue_tables(pgmq.name), "pgmq.meta")
        is_same = pgmq.lock_rolled()
        if is_same is None:
            return None
        if not is_same:
            logger.info("%s was made anew: its roll-up goes on with the new one", pgmq.name)
            pgmq.begin_rolling_anew()
        return pgmq.roll_up(limit=chunk)


def _tell(name: str, why: str) -> None:
    if times := _left_alone.tell(name):
        logger.warning("%s %s%s", name, why, f" ({times} times since this was said last)" if times > 1 else "")
