"""Acts that would keep whoever asks for them waiting: a row says what is to be done, and workers do it.

The row is what counts. A task that is lost with the broker, or with its worker, is missed by beat, and another one goes
on from there. Two that work on the same act only take turns.
"""

import logging
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from uuid import UUID

from celery import current_app
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from kombu.exceptions import KombuError

from bridge.models import OperatorAction
from bridge.operations import act
from bridge.operations.act import Asked, Repeated
from bridge.operations.actor import Actor
from bridge.operations.codes import Acted, Action
from bridge.operations.discard import Discard
from bridge.operations.driving import Work, drive
from bridge.operations.failures import open_ids, until_now
from bridge.operations.requeue import Requeue
from bridge.operations.retry import Retry, waiting_ids
from bridge.pgmq import QueueMissing
from bridge.sql.wanted import Wanted

logger = logging.getLogger(__name__)

TASK = "bridge.carry_out_act"
# Seconds that one task works on an act, so that what else waits for the worker has its turn.
AT_A_STRETCH = 20.0
# Whoever worked on it is gone.
SILENT = timedelta(seconds=90)

Find = Callable[..., Iterable[int]]
_KINDS: dict[str, tuple[Callable[[str], Work], Find]] = {
    Action.REQUEUE.value: (Requeue, open_ids),
    Action.DISCARD.value: (Discard, open_ids),
    Action.RETRY.value: (Retry, waiting_ids),
}


def hand_over(
    action: Action,
    queue: str,
    wanted: Wanted,
    *,
    actor: Actor,
    reason: str = "",
    rate: float | None = None,
    key: UUID | None = None,
) -> Acted:
    """Note what workers are to do to all messages that are meant by now, and tell them once that is committed.

    Words of an error may hold an address or a token, and what is written down may not, so those cannot be asked for:
    see `Wanted.is_kept_whole`.
    """
    if not wanted.is_kept_whole:
        raise ValueError("what stands in words of an error is not written down, so nobody could go on with it")
    wanted = until_now(queue, wanted)
    asked, filters = Asked(actor, reason, rate, key), wanted.as_json()
    try:
        row = act.begin(action, queue, asked, filters=filters, state=OperatorAction.HANDED_OVER)
    except Repeated as repeated:
        return repeated.answer()
    transaction.on_commit(partial(_tell_workers, row.pk))
    return act.acted(row)


def _tell_workers(action_id: int) -> None:
    try:
        current_app.send_task(TASK, args=[action_id], retry=False)
    except (OSError, KombuError) as error:
        logger.warning("workers hear of action %s from beat, as the broker is away: %s", action_id, error)


def carry_out(action_id: int, *, from_the_start: bool = False) -> bool:
    """Work on an act for a while; whether something is left to do. Raises Django's errors for an outage."""
    row = OperatorAction.objects.filter(pk=action_id, state=OperatorAction.HANDED_OVER).first()
    if row is None:
        return False
    make, find = _KINDS[row.action]
    deadline = time.monotonic() + AT_A_STRETCH
    wanted = Wanted.from_json(row.filters)
    # Whoever was interrupted may have passed over some that another one had in hand.
    after = 0 if from_the_start else row.after
    try:
        done = drive(
            row, make(row.queue), find(row.queue, wanted, after=after), until=lambda: time.monotonic() > deadline
        )
    except QueueMissing as missing:
        logger.warning("%s of %s ends: %s", row.action, row.queue, missing)
        act.end(row)
        return False
    if done.is_over:
        logger.info("%s of %s: %s done, %s left alone", row.action, row.queue, done.changed, done.skipped or "none")
    return not done.is_over


def forsaken() -> list[int]:
    """Acts that workers were to do, and that nobody has worked on for a while."""
    silent = Q(seen_at__lt=timezone.now() - SILENT) | Q(seen_at=None)
    rows = OperatorAction.objects.filter(silent, state=OperatorAction.HANDED_OVER)
    return list(rows.order_by("pk").values_list("pk", flat=True)[:100])
