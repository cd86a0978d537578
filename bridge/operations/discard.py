"""Ends what nobody wants done any more: a message that waits never runs, and one that failed leaves the lists.

A message that runs is left alone, as nobody can tell what it has done already.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from bridge.journals import tell_journal
from bridge.message import LastError, MessageState, Reason
from bridge.models import OperatorAction
from bridge.operations.act import Asked
from bridge.operations.actor import Actor
from bridge.operations.codes import Acted, Action, Code, Refusal
from bridge.operations.doing import to_chosen, to_matching
from bridge.operations.driving import Changed, Tell
from bridge.operations.failures import archived_refusals, open_ids
from bridge.operations.queued import why_not
from bridge.pgmq import pgmq_queue
from bridge.queues import registry
from bridge.rollup.ready import is_ready
from bridge.sql.rows import QueuedRow
from bridge.sql.wanted import Wanted

# What the journal of the queue, and the history on the message, say.
DISCARDED = "Discarded"


@dataclass(frozen=True, slots=True)
class Discard:
    queue: str

    def change(self, ids: list[int], row: OperatorAction, *, wait: bool) -> Changed:
        pgmq = pgmq_queue(self.queue)
        queued = pgmq.lock_queue(ids)
        ended = self._end([one for one in queued if _may_end(one)], row)
        refusals = [Refusal(one.token.msg_id, why_not(one)) for one in queued if one.token.msg_id not in ended]
        rest = [msg_id for msg_id in ids if msg_id not in {one.token.msg_id for one in queued}]
        marked = self._mark(rest, row, wait=wait)
        left = [msg_id for msg_id in rest if msg_id not in marked]
        refusals += [_as_busy(one) for one in archived_refusals(self.queue, left)]
        return Changed(tuple(sorted((*ended, *marked))), tuple(refusals))

    def _end(self, waiting: list[QueuedRow], row: OperatorAction) -> set[int]:
        """Archive what waits. Its handler's package hears of it as of any other message that failed."""
        if not waiting:
            return set()
        pgmq = pgmq_queue(self.queue)
        error = LastError(DISCARDED, f"an operator ended it before its time (action {row.pk})")
        ended = pgmq.discard_queued([one.token for one in waiting], act=row.pk, error=error)
        if self.queue in registry:
            journal = registry.get(self.queue).journal
            # One body after the other: hundreds of a megabyte each have no place together.
            for message in filter(None, map(pgmq.load_archived, ended)):
                tell_journal(self.queue, partial(journal.failed, message, Reason.DISCARDED, error))
        return set(ended)

    def _mark(self, ids: list[int], row: OperatorAction, *, wait: bool) -> set[int]:
        pgmq = pgmq_queue(self.queue)
        locked = pgmq.lock_archive(ids, wait=wait) if ids else []
        marked = pgmq.discard_archived(locked, act=row.pk) if locked else {}
        if marked and is_ready():
            pgmq.note_discarded(list(marked))
        if marked and self.queue in registry:
            tell_journal(self.queue, partial(registry.get(self.queue).journal.discarded, self.queue, marked))
        return set(marked)


def _may_end(one: QueuedRow) -> bool:
    return one.state != MessageState.RUNNING and not one.kept


def _as_busy(one: Refusal) -> Refusal:
    """A message that is in the queue, and whose row was not to be had: somebody has it in hand."""
    return Refusal(one.msg_id, Code.BUSY) if one.code is Code.STILL_QUEUED else one


def discard(
    queue: str,
    ids: Iterable[int],
    *,
    actor: Actor,
    reason: str = "",
    key: UUID | None = None,
    tell: Tell | None = None,
) -> Acted:
    """Raises `QueueMissing` for an unknown queue, and Django's errors for an outage."""
    return to_chosen(Action.DISCARD, Discard(queue), ids, Asked(actor, reason, key=key), tell=tell)


def discard_matching(
    queue: str,
    wanted: Wanted,
    *,
    actor: Actor,
    reason: str = "",
    key: UUID | None = None,
    most: int | None = None,
    tell: Tell | None = None,
) -> Acted:
    """Mark all failed messages that are meant as dealt with. What waits is discarded by its id alone."""
    asked = Asked(actor, reason, key=key)
    return to_matching(Action.DISCARD, Discard(queue), partial(open_ids, queue), wanted, asked, most=most, tell=tell)
