"""Which failed messages are open and meant, all of them: whoever puts "all that match" back must not miss one.

The roll-up tells at once, and the archive, which is looked through for some seconds, tells where that lags behind.
"""

import time
from collections.abc import Iterator
from dataclasses import replace

from django.db import DatabaseError

from bridge.errors import BridgeError
from bridge.message import Outcome
from bridge.operations.codes import Code, Refusal
from bridge.pgmq import pgmq_queue
from bridge.postgres import is_locked, is_outage
from bridge.rights import RowsHidden
from bridge.rollup.passing import roll_up
from bridge.rollup.ready import is_ready
from bridge.sql.rolled import MOST_OF_THE_REST
from bridge.sql.rows import Standing
from bridge.sql.wanted import Wanted

PAGE = 1000


class NotRolledUp(BridgeError):
    """The tables that failures are found in are not there yet."""

    code = "not_rolled_up"


# Seconds.
PATIENCE = 3.0
MOST_COUNTED = 10_000_000


def until_now(queue: str, wanted: Wanted) -> Wanted:
    """What is meant has failed by now, by the database's clock. Raises `QueueMissing`."""
    pgmq = pgmq_queue(queue)
    pgmq.look()
    return wanted if wanted.until is not None else replace(wanted, until=pgmq.now())


def open_ids(queue: str, wanted: Wanted, *, after: int = 0) -> Iterator[int]:
    """Ids of the open failures that are meant, oldest first, all of them. They may be changed while this goes on."""
    pgmq, rest = pgmq_queue(queue), MOST_OF_THE_REST if _is_rolled_up(queue) else None
    while page := pgmq.open_ids(wanted, after=after, most=PAGE, limit=rest):
        after = page[-1][0]
        yield from (msg_id for msg_id, kind, error in page if wanted.matches(kind, error))


def count(queue: str, wanted: Wanted) -> int:
    """How many open failures are meant, all of them."""
    if wanted.text is None and _is_rolled_up(queue):
        return pgmq_queue(queue).count_failures(most=MOST_COUNTED, **wanted.values())
    return sum(1 for _ in open_ids(queue, wanted))


def require_groups() -> None:
    """Raises `NotRolledUp` where nothing tells one cause from another, as `migrate` has not made what does."""
    if not is_ready():
        raise NotRolledUp("failures are grouped once `manage.py migrate` has made the tables of this version")


def _is_rolled_up(queue: str) -> bool:
    """Whether the roll-up knows all that failed. It is brought up to date for that, if that takes no longer."""
    if not is_ready():
        return False
    pgmq = pgmq_queue(queue)
    try:
        if pgmq.has_all_in_rollup(limit=MOST_OF_THE_REST):
            return True
        roll_up(queue, until=time.monotonic() + PATIENCE)
        return pgmq.has_all_in_rollup(limit=MOST_OF_THE_REST)
    except (DatabaseError, RowsHidden) as error:
        # A right that only the roll-up needs, or somebody who holds what it has to read: the archive tells as well.
        if is_outage(error) and not is_locked(error):
            raise
        return False


def archived_refusals(queue: str, ids: list[int], *, even_discarded: bool = False) -> tuple[Refusal, ...]:
    """Why nothing was done to these messages, which were to be failed and open."""
    if not ids:
        return ()
    return tuple(_refusal(one, even_discarded) for one in pgmq_queue(queue).standings(ids))


def _refusal(one: Standing, even_discarded: bool) -> Refusal:
    if not one.is_archived:
        return Refusal(one.msg_id, Code.STILL_QUEUED if one.is_queued else Code.NO_SUCH_MESSAGE)
    if one.requeued_as is not None:
        return Refusal(one.msg_id, Code.REQUEUED_BEFORE, {"requeued_as": one.requeued_as})
    if one.outcome != Outcome.FAILED:
        return Refusal(one.msg_id, Code.DID_NOT_FAIL, {"outcome": one.outcome or ""})
    if one.was_discarded and not even_discarded:
        return Refusal(one.msg_id, Code.DISCARDED_BEFORE)
    return Refusal(one.msg_id, Code.BUSY)
