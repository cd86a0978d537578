"""Puts failed messages back, for tests about what comes after that."""

from typing import Any

from bridge.operations.actor import Actor, Kind
from bridge.operations.requeue import requeue, requeue_matching
from bridge.sql.wanted import Wanted

SOMEBODY = Actor(Kind.STAFF, "somebody")


def put_back(queue: str, msg_id: int) -> int:
    """Returns the id of the new message."""
    done = requeue(queue, [msg_id], actor=SOMEBODY)
    assert done.changed == 1, done.refusals
    return done.pairs[0][1]


def put_all_back(queue: str, *, most: int | None = None, **wanted: Any) -> int:
    """Returns how many."""
    return requeue_matching(queue, Wanted(**wanted), actor=SOMEBODY, most=most).changed
