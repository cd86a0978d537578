"""Puts messages that failed for good back into their queue: each as a new one with the same body, linked to the old.

The new one begins with all its attempts. What guards an effect against being repeated, like the key of a mail or of a
payment, belongs to whoever handles the queue, who finds the link on the new message.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from bridge.models import OperatorAction
from bridge.operations.act import Asked
from bridge.operations.actor import Actor
from bridge.operations.codes import Acted, Action
from bridge.operations.doing import to_chosen, to_matching
from bridge.operations.driving import Changed, Tell
from bridge.operations.failures import archived_refusals, open_ids
from bridge.pgmq import pgmq_queue
from bridge.rollup.ready import is_ready
from bridge.sql.wanted import Wanted


@dataclass(frozen=True, slots=True)
class Requeue:
    """`even_discarded`: also what was discarded before, by whoever changed their mind about it."""

    queue: str
    even_discarded: bool = False

    def change(self, ids: list[int], row: OperatorAction, *, wait: bool) -> Changed:
        pgmq, pairs = pgmq_queue(self.queue), []
        if locked := pgmq.lock_archive(ids, wait=wait):
            pairs = pgmq.requeue(locked, act=row.pk, rate=row.rate, nth=row.count, even_discarded=self.even_discarded)
        if pairs and is_ready():
            pgmq.note_requeued(pairs)
        done = dict(pairs)
        left = [msg_id for msg_id in ids if msg_id not in done]
        return Changed(
            tuple(done), archived_refusals(self.queue, left, even_discarded=self.even_discarded), tuple(pairs)
        )


def requeue(
    queue: str,
    ids: Iterable[int],
    *,
    actor: Actor,
    reason: str = "",
    rate: float | None = None,
    key: UUID | None = None,
    action: Action = Action.REQUEUE,
    even_discarded: bool = False,
    tell: Tell | None = None,
) -> Acted:
    """Put these messages back. Raises `QueueMissing` for an unknown queue, and Django's errors for an outage."""
    asked = Asked(actor, reason, rate, key)
    return to_chosen(action, Requeue(queue, even_discarded), ids, asked, tell=tell)


def requeue_matching(
    queue: str,
    wanted: Wanted,
    *,
    actor: Actor,
    reason: str = "",
    rate: float | None = None,
    key: UUID | None = None,
    most: int | None = None,
    tell: Tell | None = None,
) -> Acted:
    """Put back all failed messages that are meant, oldest first, and at most so many.

    What fails while this runs is left alone, or a message that fails at once would be put back for ever.
    """
    asked = Asked(actor, reason, rate, key)
    find = partial(open_ids, queue)
    return to_matching(Action.REQUEUE, Requeue(queue), find, wanted, asked, most=most, tell=tell)
