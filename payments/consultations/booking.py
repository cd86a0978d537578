"""Gives a paid consultation its row: the payer's own where there is one, a new one where none comes.

The front end inserts a row by itself, before the payment or up to a minute after it, and Supabase mails for each row.
So a paid order keeps its place and waits for that row; only when none comes a row is made here.
"""

import logging
import math
import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, When
from django.utils import timezone

from bridge.pgmq import QueueMissing
from payments.consultations.places import (
    HOLDING_SLOT,
    SCHEDULED,
    booked_at,
    has_no_place,
    is_full,
    is_given,
    kept_at,
    lock_place,
    may_be_of,
)
from payments.errors import PaymentError
from payments.foreign import ForeignRefusal, foreign_write
from payments.ledger.book import Book
from payments.minutes import minute_of
from payments.models import Appointment, Checkout, Fulfilment, Payment, Profile
from payments.queue import queue_check
from payments.states import OPEN, Attention, Door, EventKind, OrderKind, ProviderStatus

logger = logging.getLogger(__name__)

# A payer who paid this long ago has left the page that inserts a row.
FRESH = timedelta(minutes=5)
# How often the wait may begin anew: the page inserts its row after each `verify`.
MOST_WAITS = 3
_WORTH_MOVING = timedelta(seconds=10)
SHORTEST_REPEAT, LONGEST_REPEAT = timedelta(minutes=1), timedelta(hours=1)


class NotFulfillable(PaymentError):
    """What was paid for cannot be given by a machine; `again` says that it may be possible later."""

    code = "not_fulfillable"

    def __init__(self, attention: Attention, note: str, *, again: bool = False) -> None:
        self.attention, self.again = attention, again
        super().__init__(note)


def give_consultation(book: Book) -> Fulfilment | None:
    """Link or make the consultation of a paid order for a new one; `None` while it waits for the payer's own row.

    Raises `NotFulfillable`. An order whose place is kept already has it, whatever others did since.
    """
    checkout = book.checkout
    kind, start = checkout.appointment_type_id, checkout.scheduled_at
    if kind is None or start is None:
        raise NotFulfillable(Attention.NOT_FULFILLED, "the payment names neither a consultation nor a time for one")
    lock_place(kind, start)
    if (twice := _paid_already(checkout, kind, start)) is not None:
        why = f"the customer has paid for this consultation with {twice} already: refund one of the two"
        raise NotFulfillable(Attention.NOT_FULFILLED, why)
    own = own_rows(checkout).select_for_update().first()
    if own is not None:
        return link(book, own)
    if minute_of(start) <= timezone.now():
        raise NotFulfillable(Attention.SLOT_PASSED, f"the consultation was to start at {start.isoformat()}")
    if checkout.held_at is None:
        if is_full(kind, start):
            raise NotFulfillable(Attention.SLOT_TAKEN, f"somebody else has the time {start.isoformat()}")
        _keep_place(book, start)
    if checkout.give_at is not None and checkout.give_at > timezone.now():
        return None
    return _make(book, kind, start)


def _paid_already(checkout: Checkout, kind: uuid.UUID, start: datetime) -> uuid.UUID | None:
    """Another payment by which the customer has, or is going to get, the very same: two tabs were paid in.

    Nobody starts a payment for what they have, so this says of the second what `create` would have said.
    """
    kept = kept_at(kind, start).filter(user_id=checkout.user_id, profile_id=checkout.profile_id).exclude(pk=checkout.pk)
    rows = booked_at(kind, start).filter(user_id=checkout.user_id)
    same = Q(payment__checkout__profile_id=checkout.profile_id)
    if checkout.profile_id is not None:
        same |= Q(appointment_id__in=rows.filter(profile_id=checkout.profile_id).values("pk"))
    given = Fulfilment.objects.filter(
        same,
        appointment_id__in=rows.values("pk"),
        payment__checkout__refunded_amount__lt=F("payment__checkout__amount"),
    )
    return kept.values_list("pk", flat=True).first() or given.values_list("pk", flat=True).first()


def own_rows(checkout: Checkout) -> QuerySet[Appointment]:
    """The rows that the payer's front end may have inserted for an order, the likeliest first."""
    assert checkout.appointment_type_id is not None  # noqa: S101 # Asked for orders of a new consultation only.
    assert checkout.scheduled_at is not None  # noqa: S101
    ordered_itself = Checkout.objects.filter(
        appointment_id=OuterRef("pk"), provider_status__in=(*OPEN, ProviderStatus.SUCCEEDED)
    )
    rows = booked_at(checkout.appointment_type_id, checkout.scheduled_at).filter(
        ~Exists(ordered_itself),
        ~is_given(),
        may_be_of(checkout.profile_id),
        user_id=checkout.user_id,
        payment__isnull=True,
    )
    named = Q(profile_id=checkout.profile_id) if checkout.profile_id else Q(profile_id__isnull=True)
    likelier = Case(When(named, then=0), default=1)
    return rows.order_by(likelier, F("created_at").asc(nulls_last=True), "pk")


def link(book: Book, own: Appointment) -> Fulfilment:
    """Note on a locked row that this payment is for it. Raises `NotFulfillable` when its time belongs to others."""
    check_place(own, book.checkout)
    attach(book, own)
    return of_appointment(book.payment, own.pk, Fulfilment.How.LINKED)


def attach(book: Book, own: Appointment) -> None:
    """Write the payment, and the family member that the front end left out, into a row. Raises `ForeignRefusal`."""
    own.payment = book.payment
    if own.profile_id is None:
        own.profile = _member(book.checkout)
    # A status that was NULL reads as the column's default. Supabase's reminders look for the word itself.
    own.save(update_fields=["payment", "profile", "status"])
    # A trigger may put the old value back without an error.
    if not Appointment.objects.filter(pk=own.pk, payment=book.payment).exists():
        raise ForeignRefusal(f"a trigger of Supabase's keeps the payment out of the consultation {own.pk}")


def check_place(own: Appointment, payer: Checkout) -> None:
    """Raise `NotFulfillable` for a row that is over or called off, or whose time others have a better right to.

    An order whose place is kept has the best right.
    """
    if own.status not in HOLDING_SLOT:
        raise NotFulfillable(Attention.NOT_FULFILLED, f"the consultation {own.pk} is {own.status}")
    if payer.held_at is not None:
        return
    lock_place(own.appointment_type_id, own.scheduled_at)
    if has_no_place(own, payer=payer):
        raise NotFulfillable(Attention.SLOT_TAKEN, f"somebody else has the time {own.scheduled_at.isoformat()}")


def of_appointment(payment: Payment, appointment_id: uuid.UUID, how: Fulfilment.How) -> Fulfilment:
    return Fulfilment(payment=payment, kind=OrderKind.APPOINTMENT, how=how, appointment_id=appointment_id)


def try_again_later(checkout: Checkout) -> None:
    """Keep the place of a locked order, and let a machine give it later; saves nothing."""
    now = timezone.now()
    checkout.held_at = checkout.held_at or now
    checkout.give_at = now + min(max(SHORTEST_REPEAT, (now - checkout.held_at) / 2), LONGEST_REPEAT)


def release(checkout: Checkout) -> None:
    """Keep no place any more for a locked order; saves nothing."""
    checkout.held_at = checkout.give_at = None


def expect_own_row(payment_id: uuid.UUID) -> None:
    """Begin the wait for the payer's own row anew: the front end has just asked how the payment stands."""
    wait, now = timedelta(seconds=settings.APPOINTMENT_WAIT_SECONDS), timezone.now()
    # What waits for something else is left alone: it is due much later, or much more often.
    waiting = Checkout.objects.filter(
        pk=payment_id,
        give_at__gt=now,
        give_at__lt=now + wait - _WORTH_MOVING,
        held_at__gt=now - (MOST_WAITS - 1) * wait,
    )
    with transaction.atomic():
        if waiting.update(give_at=now + wait):
            queue_giving(payment_id, wait)


def queue_giving(payment_id: uuid.UUID, wait: timedelta) -> None:
    """Have a worker give what waits, should beat not do it before. Without the queue there is still beat."""
    try:
        with foreign_write():
            queue_check(payment_id, "update_status", delay=math.ceil(wait.total_seconds()) + 1, give=True)
    except (ForeignRefusal, QueueMissing) as why:
        logger.warning("payment %s: what waits is given by beat alone: %s", payment_id, why)


def _keep_place(book: Book, start: datetime) -> None:
    """Take a place for a paid order, and wait for the payer's own row where one may still come."""
    checkout = book.checkout
    now, wait = timezone.now(), timedelta(seconds=settings.APPOINTMENT_WAIT_SECONDS)
    left_the_page = book.door != Door.API and checkout.captured_at is not None and now - checkout.captured_at > FRESH
    # However often the wait begins anew, it ends before the consultation begins.
    begins_soon = minute_of(start) <= now + (MOST_WAITS + 1) * wait
    if not wait or left_the_page or begins_soon:
        return
    checkout.held_at, checkout.give_at = now, now + wait
    book.note(EventKind.HELD, until=checkout.give_at.isoformat())
    queue_giving(checkout.pk, wait)


def _make(book: Book, kind: uuid.UUID, start: datetime) -> Fulfilment:
    made = Appointment.objects.create(
        user_id=book.payment.user_id,
        profile=_member(book.checkout),
        appointment_type_id=kind,
        scheduled_at=minute_of(start),
        status=SCHEDULED,
        payment=book.payment,
    )
    # A trigger may swallow a row without an error.
    if not Appointment.objects.filter(pk=made.pk, payment=book.payment).exists():
        why = "the database kept no row of the consultation: a trigger of Supabase's swallowed it"
        raise NotFulfillable(Attention.NOT_FULFILLED, why, again=True)
    return of_appointment(book.payment, made.pk, Fulfilment.How.MADE)


def _member(checkout: Checkout) -> Profile | None:
    """The family member that was ordered for, if there still is one."""
    return Profile.objects.filter(pk__in=[checkout.profile_id], user_id=checkout.user_id).first()
