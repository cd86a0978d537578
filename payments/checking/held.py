"""Gives what is paid and waits: for the payer's own row, for its time to come, or for a broken trigger to be mended.

Asks nobody but the database, as the payment is proven already: a provider that is away keeps nobody from their booking.
"""

import uuid
from datetime import timedelta

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from bridge.batches import one_by_one
from payments.checking.fulfil import flag_deleted, fulfil
from payments.consultations.booking import own_rows, release, try_again_later
from payments.consultations.places import SCHEDULED
from payments.consultations.twins import with_twins
from payments.errors import PaymentMissing
from payments.ledger.book import open_book
from payments.minutes import within_minute_of
from payments.models import Appointment, Checkout, Fulfilment, Payment
from payments.refunds.request import goes_back
from payments.states import Door, OrderKind

MOST_ROWS = 500
# How long after a booking a second one is looked for. An open payment for the same time keeps both for an hour.
TWINS_FOR = timedelta(hours=3)


def give_held(payment_id: uuid.UUID, *, door: Door) -> None:
    """Give what a payment waits for, if its time has come or the payer's own row is there; leave one booking of two.

    A payment that is gone, was given or refunded meanwhile is left alone.
    """
    try:
        with open_book(payment_id, door=door) as book:
            checkout = book.checkout
            is_given = Fulfilment.objects.filter(pk=payment_id).exists()
            if not is_given and not _is_due(checkout):
                return
            if book.payment.was_deleted:
                # Its place is free for others, and its row may come back.
                flag_deleted(book)
            elif checkout.refunded_amount >= checkout.amount:
                release(checkout)
            elif not is_given and goes_back(checkout):
                # The bank may refuse it yet.
                try_again_later(checkout)
            else:
                # The place was kept for a payment that the provider had vouched for.
                fulfil(book, vouched=True)
    except PaymentMissing:
        return


def give_all_held() -> None:
    """Give each payment that waits what it waits for, and make one of double bookings."""
    one_by_one([*_waiting(), *_doubled()], _give, what="payment that waits")


def _give(payment_id: uuid.UUID) -> bool:
    give_held(payment_id, door=Door.RECONCILIATION)
    return True


def _is_due(checkout: Checkout) -> bool:
    if checkout.give_at is None:
        return False
    if checkout.give_at <= timezone.now():
        return True
    return _waits_for_row(checkout) and own_rows(checkout).exists()


def _waits_for_row(checkout: Checkout) -> bool:
    return checkout.kind == OrderKind.APPOINTMENT and checkout.appointment_id is None


def _waiting() -> list[uuid.UUID]:
    now = timezone.now()
    own = Appointment.objects.filter(
        within_minute_of("scheduled_at", OuterRef("scheduled_at")),
        user_id=OuterRef("user_id"),
        appointment_type_id=OuterRef("appointment_type_id"),
        payment__isnull=True,
        status=SCHEDULED,
    )
    waiting = Checkout.objects.filter(
        # Nothing can be given for a payment whose row was deleted; a person deals with it.
        Exists(Payment.objects.filter(pk=OuterRef("pk"))),
        Q(give_at__lte=now) | Q(Exists(own), attention="", appointment_id__isnull=True, kind=OrderKind.APPOINTMENT),
        give_at__isnull=False,
    )
    return list(waiting.order_by("give_at").values_list("pk", flat=True)[:MOST_ROWS])


def _doubled() -> list[uuid.UUID]:
    doubled = with_twins(timezone.now() - TWINS_FOR)
    return list(doubled.order_by("created_at").values_list("pk", flat=True)[:MOST_ROWS])
