"""What is read next: by priority and by time, and without what the queue's screen refuses."""

import logging
import time
from collections import deque
from datetime import datetime

from django.db import DatabaseError, transaction
from django.utils import timezone

from bridge.errors import NotYet
from bridge.outcome import ending_of
from bridge.pgmq import NotArchivable, PgmqQueue
from bridge.postgres import first_line, is_outage
from bridge.queues import Candidate, Queue, Refusal, Screen
from bridge.sql.rows import Due

logger = logging.getLogger(__name__)

# How many messages are put in order; the priority of one further behind is seen when it comes so far.
DEPTH = 50_000
# How many of them are remembered as those to be read next.
PLANNED = 2000
# A look ahead costs about a millisecond for a thousand messages that wait. It takes a fiftieth of the time at most.
LEAST_SECONDS, SHARE = 1.0, 50
# How long one look may screen before what has passed is read.
SCREENING_SECONDS = 1.0
# How many of a batch go to the workers unseen, as they are larger than what a screen is shown.
FEW = 25
# How long what has to wait is hidden, and how long at most: the older it is, the longer.
WAITS_SECONDS, MOST_SECONDS = 3.0, 300.0


class Order:
    """Which messages of one queue are read next. Keeps what it saw for a second or so; a lost race costs nothing, as
    reading takes only what is still due."""

    def __init__(self, queue: Queue, pgmq: PgmqQueue) -> None:
        self._queue, self._pgmq = queue, pgmq
        self._next: deque[int] = deque()
        self._look_again_at = 0.0
        self._goes_on = False
        self._is_flooded = False
        self._passed: dict[int, datetime] = {}

    def next_ids(self, limit: int, *, crowded: bool) -> list[int] | None:
        """The ids of the messages to be read now, or `None` for whichever wait longest.

        `crowded`: more messages wait than one read takes, so their order matters.
        """
        screen = self._queue.screen
        if not crowded and (screen is None or (limit < screen.least and not self._is_flooded)):
            # So few are shown to no screen. Where more of them wait, this read is full, and the next one finds a crowd.
            self._next.clear()
            return None
        now = time.monotonic()
        used_up = len(self._next) < limit and (self._goes_on or screen is not None)
        if now >= self._look_again_at or used_up:
            self._look_ahead(screen)
            self._look_again_at = time.monotonic() + max(LEAST_SECONDS, SHARE * (time.monotonic() - now))
        if screen is None and not self._next:
            return None
        return [self._next.popleft() for _ in range(min(limit, len(self._next)))]

    def _look_ahead(self, screen: Screen | None) -> None:
        if screen is None:
            due = self._pgmq.ahead(limit=PLANNED, depth=DEPTH)
            # Where all are equal, time alone decides, and reading knows that by itself.
            same = not due or due[0].priority == due[-1].priority
            self._next = deque([] if same else [one.token.msg_id for one in due])
            self._goes_on = len(due) == PLANNED and not same
            return
        until = time.monotonic() + SCREENING_SECONDS
        goes_on = True
        while goes_on:
            due = self._pgmq.ahead(limit=PLANNED, depth=DEPTH, octets=screen.MOST_OCTETS)
            new = [one for one in due if one.untried and self._passed.get(one.token.msg_id) != one.token.vt]
            # A few are no flood, unless they are the rest of one: the handler says of them what it always says.
            is_judged = len(new) >= (1 if self._is_flooded else screen.least)
            gone = self._screen(screen, new) if is_judged else set()
            passed = [one for one in due if one.token.msg_id not in gone]
            self._is_flooded = bool(gone)
            goes_on = bool(gone) and time.monotonic() < until
            if is_judged:
                self._passed = {one.token.msg_id: one.token.vt for one in passed}
        self._next = deque(one.token.msg_id for one in passed)

    def _screen(self, screen: Screen, new: list[Due]) -> set[int]:
        gone: set[int] = set()
        for start in range(0, len(new), screen.MOST_IN_BATCH):
            try:
                gone |= self._judge(screen, new[start : start + screen.MOST_IN_BATCH])
            except (DatabaseError, NotArchivable) as error:
                if is_outage(error):
                    raise
                logger.error("%s: not screened: %s", self._queue.name, first_line(error))
            except Exception:  # A mistake of the screen must not stop the mail; the handler checks again.
                logger.exception("%s: the screen failed, so its messages pass", self._queue.name)
        return gone

    def _judge(self, screen: Screen, batch: list[Due]) -> set[int]:
        """Let the screen judge, and do what it says; returns the messages that are not due any more."""
        tokens = {one.token.msg_id: one.token for one in batch}
        shown = {
            one.token.msg_id: Candidate(one.token.msg_id, one.enqueued_at, one.text)
            for one in batch
            if one.text is not None
        }
        with transaction.atomic():
            verdicts = screen.judge([*shown.values()])
            endings = {msg_id: ending_of(why) for msg_id, why in verdicts.items() if not isinstance(why, NotYet)}
            # What the screen cannot see is not let through by the thousands either.
            later = verdicts.keys() - endings.keys() | {*[*(tokens.keys() - shown.keys())][FEW:]}
            postponed = self._pgmq.postpone([(one.token, _delay(one)) for one in batch if one.token.msg_id in later])
            ended = self._pgmq.refuse([(tokens[msg_id], ending) for msg_id, ending in endings.items()])
            if ended:
                screen.note([Refusal(shown[msg_id], ending) for msg_id, ending in endings.items() if msg_id in ended])
        if ended:
            first = endings[min(ended)].error
            why = f"{first.type}: {first.message}" if first else ""
            logger.warning("%s: %s messages refused, the first one: %s", self._queue.name, len(ended), why)
        return ended | postponed


def _delay(one: Due) -> float:
    age = (timezone.now() - one.enqueued_at).total_seconds()
    return min(MOST_SECONDS, WAITS_SECONDS + max(0.0, age) / 2)
