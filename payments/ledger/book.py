"""The book of one payment: both its rows under lock, its timeline, its marks for staff. Who changes a payment opens it.

A payment may have several marks at once. Its checkout repeats the gravest of them, for lists.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction
from django.utils import timezone

from bridge.rights import require_sight
from bridge.trace import current_trace_id
from payments.errors import PaymentMissing
from payments.ledger.deleted_rows import ROWS, stand_in
from payments.ledger.marks import open_marks, take_over_marks_of, was_settled_by_hand
from payments.ledger.refunds import refunds_of
from payments.models import Checkout, Payment, PaymentAttention, PaymentEvent, Refund
from payments.states import NOTHING_GIVEN, Attention, Door, EventKind


@contextmanager
def open_book(
    payment_id: uuid.UUID, *, door: Door, actor: int | None = None, even_if_hidden: bool = False
) -> Iterator["Book"]:
    """Lock a payment until the transaction ends, and save what the block changed of our row. An error undoes it all.

    Supabase's row may have been deleted, the money may not: then `book.payment` is a stand-in that `was_deleted`.
    Raises `PaymentMissing` for what was never started here, and `RowsHidden` where nobody can tell a deleted row; with
    `even_if_hidden` one that is hidden has a stand-in as well.
    """
    with transaction.atomic():
        payment, checkout = _lock(payment_id, even_if_hidden=even_if_hidden)
        if checkout.attention:
            take_over_marks_of(payment_id)
        book = Book(payment, checkout, door=door, actor=actor)
        yield book
        book.close()


@contextmanager
def open_loose_leaf(payment_id: uuid.UUID, *, door: Door, actor: int | None = None) -> Iterator["Leaf"]:
    """The same for a row that has no checkout, as nothing was ever started here for it: there is nothing to lock."""
    with transaction.atomic():
        yield Leaf(payment_id, door=door, actor=actor)


def record_event(
    payment_id: uuid.UUID, kind: EventKind, *, door: Door, actor_id: int | None = None, **data: Any
) -> PaymentEvent:
    """Add a line to the timeline of a payment that nobody holds, in the transaction of what it tells.

    `data` is JSON: ids, states, amounts as text, and no person's data.
    """
    return PaymentEvent.objects.create(
        payment_id=payment_id,
        kind=kind,
        door=door,
        data=data,
        actor_id=actor_id,
        trace_id=current_trace_id(),
    )


class Leaf:
    """What is written about a payment besides its rows: the lines of its timeline, and its marks."""

    def __init__(self, payment_id: uuid.UUID, *, door: Door, actor: int | None, may_be_marked: bool = True) -> None:
        self.payment_id, self.door, self.actor = payment_id, door, actor
        self._may_be_marked, self._marks_moved = may_be_marked, False

    def note(self, kind: EventKind, **details: Any) -> None:
        """Add a line to the timeline; `details` as in `record_event`."""
        record_event(self.payment_id, kind, door=self.door, actor_id=self.actor, **details)

    def flag(self, reason: Attention, note: str) -> bool:
        """Mark the payment, at once; `note` says what is wrong, with ids only. Returns whether that is news.

        What a person has settled is not marked anew by a check that sees the same thing again.
        """
        if was_settled_by_hand(self.payment_id, reason, note):
            return False
        if reason in NOTHING_GIVEN:
            self.settle(*(NOTHING_GIVEN - {reason}))
        self._may_be_marked = self._marks_moved = True
        mark, made = PaymentAttention.objects.get_or_create(
            payment_id=self.payment_id,
            reason=reason,
            settled_at=None,
            defaults={"note": note, "since": timezone.now()},
        )
        news = made or mark.note != note
        if news:
            if not made:
                mark.note = note
                mark.save(update_fields=["note"])
            self._note_mark(EventKind.ATTENTION, reason=reason.value, note=note)
        return news

    def settle(self, *reasons: Attention) -> None:
        """Take away the marks for `reasons`, which turned out well by themselves."""
        if not self._may_be_marked:
            return
        for mark in open_marks(self.payment_id):
            if mark.reason in reasons:
                self._close(mark)
                self._note_mark(EventKind.ATTENTION_CLEARED, reason=mark.reason)

    def clear(self, note: str, *, mark_id: int | None = None) -> list[PaymentAttention]:
        """Take a mark away by the hand of the actor, or without `mark_id` all that are open; returns what there was."""
        closed = [mark for mark in open_marks(self.payment_id) if mark_id in (None, mark.pk)]
        for mark in closed:
            self._close(mark, by=self.actor)
            self.note(EventKind.ATTENTION_CLEARED, reason=mark.reason, note=note)
        return closed

    def _close(self, mark: PaymentAttention, *, by: int | None = None) -> None:
        self._marks_moved = True
        mark.settled_at, mark.settled_by_id = timezone.now(), by
        mark.save(update_fields=["settled_at", "settled_by"])

    def _note_mark(self, kind: EventKind, **data: Any) -> None:
        # Whoever asked for what is done: it is no person who marks a payment, or finds that a mark is over.
        record_event(self.payment_id, kind, door=self.door, **data)


class Book(Leaf):
    """A payment in hand. What is changed of `checkout` is saved when the book is closed, and nothing else of it is.

    `payment` is Supabase's row: whoever changes that writes it at once, by `payments.foreign`, as its triggers may
    refuse anything. `open_book` makes these.
    """

    def __init__(self, payment: Payment, checkout: Checkout, *, door: Door, actor: int | None) -> None:
        super().__init__(checkout.pk, door=door, actor=actor, may_be_marked=bool(checkout.attention))
        self.payment, self.checkout = payment, checkout
        self._found = _columns(checkout)
        self._refunds: list[Refund] | None = None

    @property
    def refunds(self) -> list[Refund]:
        """All of them, the oldest first. Read once: whoever changes one holds this lock, and says so."""
        if self._refunds is None:
            self._refunds = refunds_of(self.payment_id)
        return self._refunds

    def change_refunds(self) -> None:
        """Say that what was read of them is about to be otherwise."""
        self._refunds = None

    def close(self) -> None:
        if self._marks_moved:
            self._repeat_gravest()
        changed = [name for name, value in _columns(self.checkout).items() if value != self._found[name]]
        if changed:
            self.checkout.save(update_fields=[*changed, "updated_at"])

    def _repeat_gravest(self) -> None:
        gravest = next(iter(open_marks(self.payment_id)), None)
        told = (gravest.reason, gravest.note, gravest.since) if gravest is not None else ("", "", None)
        self.checkout.attention, self.checkout.attention_note, self.checkout.attention_since = told


def _lock(payment_id: uuid.UUID, *, even_if_hidden: bool) -> tuple[Payment, Checkout]:
    """First Supabase's row, then ours: in one order, so that two doors never wait for each other in a circle."""
    payment = Payment.objects.select_for_update().filter(pk=payment_id).first()
    checkout = Checkout.objects.select_for_update().filter(pk=payment_id).first()
    if checkout is None:
        raise PaymentMissing(f"nothing was ever started at YooKassa for the payment {payment_id}")
    if payment is None and not even_if_hidden:
        require_sight(ROWS)
    return payment or stand_in(checkout), checkout


def _columns(checkout: Checkout) -> dict[str, Any]:
    return {field.attname: getattr(checkout, field.attname) for field in Checkout._meta.concrete_fields}
