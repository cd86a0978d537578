"""How a bridge process tells that it lives, writes down which others do, and keeps the dead man's switch."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from bridge.models import BridgeProcess
from bridge.processes.dead_man import DeadManSwitch
from bridge.processes.pulse import AWAY, DEAD_AFTER, INTERVAL_SECONDS, Kind, children_of, listen, process_name
from bridge.processes.rows import living, write_beat, write_heard

__all__ = ["DEAD_AFTER", "INTERVAL_SECONDS", "THE_BROKER", "THE_DATABASE", "Heartbeat", "Others", "living_bridges"]

logger = logging.getLogger(__name__)

# What a bridge may wait for, as its row and its log name it.
THE_BROKER, THE_DATABASE = "The broker (REDIS_URL)", "Postgres (DATABASE_URL)"
# How often it is asked who works. Who begins takes as many tasks at once as it has children, and must be known by then.
ASK_WORKERS_SECONDS = 1.0


class Heartbeat:
    """The row of this process. Every method is one statement."""

    def __init__(self) -> None:
        self._started = datetime.now(UTC)
        self._name = process_name(self._started)

    def beat(self, *, published: int, archived: int, waits_for: str) -> None:
        """Renew the row; `published` and `archived` are totals since the start."""
        write_beat(
            self._name, self._started, published=published, archived=archived, waits_for=waits_for[:200], stopped=False
        )

    def stop(self, *, published: int, archived: int) -> None:
        """Say that the process ended in order."""
        write_beat(self._name, self._started, published=published, archived=archived, waits_for="", stopped=True)


class Others:
    """The processes that have no database: their notes become rows, and whoever watches from outside hears of them."""

    def __init__(self) -> None:
        self._children, self._ask_at = 0, 0.0
        self._switch = DeadManSwitch()

    def note(self) -> None:
        """Raises Django's database errors. That Redis is away is told by whoever needs it."""
        with _redis_may_be_away():
            heard = listen()
            write_heard(heard)
            self._switch.hold(heard)

    def children(self) -> int:
        """How many tasks the workers do at the same time, as of the last second; 0 where nobody knows."""
        now = time.monotonic()
        if now >= self._ask_at:
            self._ask_at, self._children = now + ASK_WORKERS_SECONDS, 0
            with _redis_may_be_away():
                self._children = children_of(listen())
        return self._children


@contextmanager
def _redis_may_be_away() -> Iterator[None]:
    try:
        yield
    except AWAY as error:
        logger.debug("the notes of other processes cannot be read: %s", type(error).__name__)


def living_bridges() -> list[BridgeProcess]:
    """The bridges that renewed their row lately and did not stop, the longest running first."""
    return living(Kind.BRIDGE)
