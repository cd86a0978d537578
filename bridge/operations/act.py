"""The row of an act while it is under way: who asked for what, and how far it is."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from bridge.models import OperatorAction
from bridge.operations import audit
from bridge.operations.actor import Actor
from bridge.operations.codes import Acted, Action


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for an act, and how: the same for each kind of act.

    `rate` is how many messages a second may become due, `key` the one of the form that was sent.
    """

    actor: Actor
    reason: str = ""
    rate: float | None = None
    key: UUID | None = None


class Repeated(Exception):
    """The form was sent before: `row` is the act that it asked for."""

    def __init__(self, row: OperatorAction) -> None:
        super().__init__(row.pk)
        self.row = row

    def answer(self) -> Acted:
        return acted(self.row, is_repeated=True)


def begin(
    action: Action,
    queue: str,
    asked: Asked,
    *,
    msg_id: int | None = None,
    filters: Mapping[str, Any] | None = None,
    state: str = OperatorAction.RUNNING,
) -> OperatorAction:
    """Note that an act begins. Raises `Repeated`, also for a form that is sent twice at once."""
    try:
        with transaction.atomic():
            row = audit.record(
                asked.actor, action, queue=queue, msg_id=msg_id, count=0, filters=filters, reason=asked.reason
            )
            row.state, row.rate, row.key, row.seen_at = state, asked.rate, asked.key, timezone.now()
            row.save(update_fields=["state", "rate", "key", "seen_at"])
            return row
    except IntegrityError:
        before = OperatorAction.objects.filter(key=asked.key).first() if asked.key is not None else None
        if before is None:
            raise
        raise Repeated(before) from None


def locked(row: OperatorAction) -> OperatorAction | None:
    """The row as it is now, locked against whoever else goes on with the act; `None`: it is over."""
    return OperatorAction.objects.select_for_update().exclude(state=OperatorAction.DONE).filter(pk=row.pk).first()


def note(row: OperatorAction, *, changed: int, skipped: Counter[str], after: int) -> None:
    """Note what a batch did, in its transaction."""
    row.count += changed
    row.skipped = dict(Counter(row.skipped) + skipped)
    row.after, row.seen_at = max(row.after, after), timezone.now()
    row.save(update_fields=["count", "skipped", "after", "seen_at"])


def end(row: OperatorAction) -> None:
    """Note that nothing is left to be done."""
    now = timezone.now()
    OperatorAction.objects.filter(pk=row.pk).exclude(state=OperatorAction.DONE).update(
        state=OperatorAction.DONE, seen_at=now, finished_at=now
    )


def acted(row: OperatorAction, **told: Any) -> Acted:
    """What the row says of its act."""
    return Acted(
        changed=row.count,
        skipped=dict(row.skipped),
        action_id=row.pk,
        **{"is_over": row.state == OperatorAction.DONE, **told},
    )
