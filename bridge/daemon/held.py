"""Queues that are held: when they are looked at again, and what the log says of them, once at each end."""

import logging

from django.db import DatabaseError

from bridge import holds
from bridge.postgres import is_outage
from bridge.sql.rows import Outlook

logger = logging.getLogger(__name__)

# A bridge that hears nothing finds out by itself that a queue may be read again.
LOOK_SECONDS = 1.0


class HeldQueues:
    """Which of the queues of this process were held when they were last looked at."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def note(self, queue: str, *, is_held: bool) -> None:
        """Say when it begins and when it ends, and not in between."""
        if is_held and queue not in self._names:
            self._names.add(queue)
            logger.warning("%s: held, nothing is read: %s", queue, "; ".join(_described(queue)) or "no more")
        elif not is_held and queue in self._names:
            self._names.discard(queue)
            logger.warning("%s: goes on", queue)


def next_look(outlook: Outlook, *, asked_for: int | None) -> float:
    """Seconds until a held queue is worth a look, after one that asked for that message alone.

    One that is let through is asked for at once, and then now and then: it may be hidden, or a worker has it.
    """
    if outlook.let_through not in (None, asked_for):
        return 0.0
    return LOOK_SECONDS if outlook.free_in is None else min(LOOK_SECONDS, max(0.0, outlook.free_in))


def _described(queue: str) -> list[str]:
    try:
        return [str(hold) for hold in holds.in_force(queue).get(queue, [])]
    except DatabaseError as error:
        if is_outage(error):
            raise
        return ["nobody can tell why"]
