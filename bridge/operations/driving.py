"""Acts on many messages, in batches of some hundred: each batch whole or not at all, and each message once.

Two who want the same take turns: what one of them has locked the other passes over, and comes back to in the end. What
Postgres refuses for one message it refuses for a batch, so that is done again one by one. A process that is killed
leaves the batches that it finished, and whoever asks again goes on with the rest.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from django.db import DatabaseError, InterfaceError, connection, transaction

from bridge.models import OperatorAction
from bridge.operations import act
from bridge.operations.codes import MOST_REFUSALS, Acted, Code, Refusal
from bridge.postgres import first_line, is_locked, is_outage

logger = logging.getLogger(__name__)

BATCH = 500


@dataclass(frozen=True, slots=True)
class Changed:
    """What a batch did; `pairs` of old and new ids where messages were sent again."""

    ids: tuple[int, ...]
    refusals: tuple[Refusal, ...] = ()
    pairs: tuple[tuple[int, int], ...] = ()


class Work(Protocol):
    """What is to be done to messages of one queue."""

    @property
    def queue(self) -> str: ...

    def change(self, ids: list[int], row: OperatorAction, *, wait: bool) -> Changed:
        """Do it to those of `ids` that are as they have to be. Runs in a transaction, which may be rolled back."""
        ...


Tell = Callable[[Changed], None]


@dataclass
class _Course:
    """One run through the batches of an act."""

    row: OperatorAction
    work: Work
    tell: Tell | None
    busy: list[int] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    pairs: list[tuple[int, int]] = field(default_factory=list)
    changed: int = 0

    def batch(self, ids: list[int], *, wait: bool = False) -> None:
        try:
            done = self._in_transaction(ids, wait=wait)
        except DatabaseError as error:
            if is_outage(error) and not (wait and is_locked(error)):
                raise
            if len(ids) > 1:
                for msg_id in ids:
                    self.batch([msg_id], wait=wait)
                return
            done = self._left_out(ids[0], error)
        self.changed += len(done.ids)
        self.pairs += done.pairs
        self.refusals += done.refusals[: MOST_REFUSALS - len(self.refusals)]
        if self.tell is not None:
            self.tell(done)

    def _in_transaction(self, ids: list[int], *, wait: bool) -> Changed:
        with transaction.atomic():
            row = act.locked(self.row)
            if row is None:
                return Changed(())
            done = self.work.change(ids, row, wait=wait)
            busy = set() if wait else {one.msg_id for one in done.refusals if one.code is Code.BUSY}
            refusals = tuple(one for one in done.refusals if one.msg_id not in busy)
            skipped = Counter(one.code.value for one in refusals)
            act.note(row, changed=len(done.ids), skipped=skipped, after=max(ids))
        self.busy += sorted(busy)
        return Changed(done.ids, refusals, done.pairs)

    def _left_out(self, msg_id: int, error: DatabaseError) -> Changed:
        code = Code.BUSY if is_locked(error) else Code.POSTGRES_REFUSED
        if code is Code.POSTGRES_REFUSED:
            logger.error("%s %s is left out, Postgres says: %s", self.work.queue, msg_id, first_line(error))
        with transaction.atomic():
            row = act.locked(self.row)
            if row is not None:
                act.note(row, changed=0, skipped=Counter([code.value]), after=msg_id)
        return Changed((), (Refusal(msg_id, code),))


def drive(
    row: OperatorAction,
    work: Work,
    ids: Iterable[int],
    *,
    most: int | None = None,
    tell: Tell | None = None,
    until: Callable[[], bool] = lambda: False,
) -> Acted:
    """Do the work to the messages, and end the act, unless `until` says that it is time to stop for now.

    `most` bounds how many are changed. Calls `tell` after each
    batch. Raises Django's errors for an outage, and `QueueMissing`; what was done by then is done and noted.
    """
    course = _Course(row, work, tell)
    try:
        is_over = _run(course, iter(ids), most, until)
    except BaseException:
        _give_up(row)
        raise
    if is_over:
        act.end(row)
    row.refresh_from_db()
    return act.acted(row, refusals=tuple(course.refusals), pairs=tuple(course.pairs))


def _give_up(row: OperatorAction) -> None:
    """Note that an act which nobody goes on with is over. In a transaction there is nothing to note: all of it goes."""
    if row.state != OperatorAction.RUNNING or connection.in_atomic_block:
        return
    with suppress(DatabaseError, InterfaceError):  # What is raised says more about what it ended by.
        act.end(row)


def _run(course: _Course, ids: Iterator[int], most: int | None, until: Callable[[], bool]) -> bool:
    is_over = False
    while not is_over:
        size = BATCH if most is None else min(BATCH, most - course.changed)
        batch = list(islice(ids, size)) if size > 0 else []
        is_over = not batch
        if batch:
            course.batch(batch)
            if until():
                break
    # Whoever had these in hand has done with them by now, or does within the time that a lock is waited for.
    busy = course.busy if most is None else course.busy[: max(0, most - course.changed)]
    for start in range(0, len(busy), BATCH):
        course.batch(busy[start : start + BATCH], wait=True)
    return is_over


def rehearse(work: Work, ids: Iterable[int]) -> Acted:
    """What the work would do to these messages: it is done, and each batch is rolled back."""
    row, every, changed, refusals, skipped = OperatorAction(pk=0), iter(ids), 0, list[Refusal](), Counter[str]()
    while batch := list(islice(every, BATCH)):
        with transaction.atomic():
            done = work.change(batch, row, wait=False)
            transaction.set_rollback(True)
        changed += len(done.ids)
        skipped += Counter(one.code.value for one in done.refusals)
        refusals += done.refusals[: MOST_REFUSALS - len(refusals)]
    return Acted(changed, dict(skipped), refusals=tuple(refusals))
