"""Adds to the roll-up what was archived since: each message once, in short transactions, whoever else does the same."""

import logging
import time

from django.db import DatabaseError, connection, transaction

from bridge.pgmq import PgmqQueue, QueueMissing, pgmq_queue, queue_names
from bridge.postgres import first_line, is_locked, is_outage
from bridge.rights import RowsHidden, queue_tables, require_sight
from bridge.rollup.ready import is_ready
from bridge.seldom import Seldom

logger = logging.getLogger(__name__)

# Messages of one transaction, which takes a fraction of a second.
CHUNK = 2000
# What beat asks for, it asks for again soon.
MOST_SECONDS = 20.0

_left_alone = Seldom()


def roll_up_all(*, seconds: float = MOST_SECONDS) -> int:
    """Add what is new in every archive, as far as that time goes; returns how many messages were added.

    What cannot be read is left alone, and the log says so once an hour.
    """
    if not is_ready():
        return 0
    deadline, added = time.monotonic() + seconds, 0
    for name in queue_names():
        try:
            added += roll_up(name, until=deadline)
        except (QueueMissing, RowsHidden) as error:
            _tell(name, str(error))
        except DatabaseError as error:
            if is_outage(error) and not is_locked(error):
                raise
            _tell(name, first_line(error))
    return added


def roll_up(name: str, *, until: float | None = None, chunk: int = CHUNK) -> int:
    """Add what is new in the archive of one queue, until that monotonic time; returns how many messages were added.

    Two at once do not wait for one another: the second one finds nothing to do.
    """
    pgmq, added = pgmq_queue(name), 0
    while True:
        latest = _add_chunk(pgmq, chunk)
        added += latest or 0
        if latest is None or latest < chunk or (until is not None and time.monotonic() > until):
            return added


def _add_chunk(pgmq: PgmqQueue, chunk: int) -> int | None:
    """`None`: it is somebody else's turn, or nothing says which queue this is."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            # Who puts a message back holds it; that it waits for us, or we for it, is not worth more.
            cursor.execute("SET LOCAL lock_timeout TO '2s'")
        require_sight(*queue_tables(pgmq.name), "pgmq.meta")
        locked = pgmq.lock_rolled()
        if locked is None:
            locked = pgmq.lock_rolled() if pgmq.begin_rolling() else None
        if locked is None:
            return None
        is_same, by_id = locked
        if is_same is None:
            return None
        if not is_same:
            logger.info("%s was made anew: its roll-up goes on with the new one", pgmq.name)
            pgmq.begin_rolling_anew()
        return pgmq.roll_up(limit=chunk, by_id=by_id)


def _tell(name: str, why: str) -> None:
    if times := _left_alone.tell(name):
        logger.warning("%s is left out of the roll-up (%s times since this was said last): %s", name, times, why)
