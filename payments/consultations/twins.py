"""Makes one booking of two that are the same: the front end may insert its row after ours was made, and twice.

Theirs is kept and ours removed, as its id stands on the page that the customer looks at. What a person has touched is
never removed, nor what may be meant for another payment.
"""

import logging
import uuid
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet

from payments.consultations.booking import attach
from payments.consultations.places import SCHEDULED, is_given, lock_place, may_be_of
from payments.foreign import ForeignRefusal, foreign_write
from payments.ledger.book import Book
from payments.minutes import same_minute, within_minute, within_minute_of
from payments.models import Appointment, Checkout, Fulfilment
from payments.states import OPEN, EventKind, OrderKind

logger = logging.getLogger(__name__)
_told: set[uuid.UUID] = set()

# How long before the payment was started, and after its booking was given, a row may be inserted and mean that booking.
BEFORE, AFTER = timedelta(minutes=30), timedelta(minutes=15)
# What a customer or staff add to a booking later, or choose for one that is more than the row of a payment. Columns
# that this database does not have count as empty. Supabase notes each change of a row; the moment of its birth is none.
_UNTOUCHED = """
SELECT a.id FROM public.appointments AS a
WHERE a.id = ANY(%s)
  AND coalesce(a.updated_at, a.created_at) < a.created_at + interval '1 second'
  AND coalesce(to_jsonb(a) ->> 'notes', '') = ''
  AND num_nonnulls(to_jsonb(a) ->> 'specialist_id', to_jsonb(a) ->> 'recurring_pattern',
                   to_jsonb(a) ->> 'parent_appointment_id', to_jsonb(a) ->> 'started_at',
                   to_jsonb(a) ->> 'transcript', to_jsonb(a) ->> 'summary') = 0
  AND NOT EXISTS (SELECT FROM public.appointments AS child
                  WHERE child.user_id = a.user_id AND to_jsonb(child) ->> 'parent_appointment_id' = a.id::text)
"""


def merge_twins(book: Book, given: Fulfilment) -> None:
    """Leave one booking of those that a fulfilled payment has got. Safe to repeat."""
    checkout = book.checkout
    if given.appointment_id is None or checkout.appointment_id is not None or checkout.scheduled_at is None:
        return
    if checkout.appointment_type_id is None or not _twins(checkout, given).exists():
        return
    try:
        with foreign_write():
            lock_place(checkout.appointment_type_id, checkout.scheduled_at)
            kept, removed = _merge(book, given)
    except ForeignRefusal as refusal:
        # Tried again every few seconds; told once.
        level = logging.DEBUG if book.payment_id in _told else logging.WARNING
        logger.log(level, "payment %s: a second booking of the same consultation stays: %s", book.payment_id, refusal)
        _told.add(book.payment_id)
        return
    if kept is not None:
        given.merged = [*(given.merged or ()), *removed]
        given.save(update_fields=["appointment_id", "how", "merged"])
        gone = [str(pk) for pk in removed]
        book.note(EventKind.MERGED, kept=str(kept), removed=gone)


def with_twins(since: datetime) -> QuerySet[Fulfilment]:
    """What was given since then, and may have got a second booking."""
    twins = Appointment.objects.filter(
        within_minute_of("scheduled_at", OuterRef("payment__checkout__scheduled_at")),
        ~Q(pk=OuterRef("appointment_id")),
        Q(payment__isnull=True) | Q(payment=OuterRef("pk")),
        user_id=OuterRef("payment__checkout__user_id"),
        appointment_type_id=OuterRef("payment__checkout__appointment_type_id"),
        status=SCHEDULED,
    )
    return Fulfilment.objects.filter(
        Exists(twins),
        kind=OrderKind.APPOINTMENT,
        created_at__gt=since,
        payment__checkout__appointment_id__isnull=True,
        payment__checkout__scheduled_at__isnull=False,
    )


def _twins(checkout: Checkout, given: Fulfilment) -> QuerySet[Appointment]:
    """The rows that mean the same booking, whoever has touched them since."""
    assert checkout.scheduled_at is not None  # noqa: S101 # Asked for new consultations only.
    return (
        Appointment.objects.filter(
            within_minute("scheduled_at", checkout.scheduled_at),
            ~is_given(),
            # Somebody may be about to pay for that very row.
            ~Exists(Checkout.objects.filter(appointment_id=OuterRef("pk"))),
            Q(payment__isnull=True) | Q(payment_id=given.payment_id),
            may_be_of(checkout.profile_id),
            user_id=checkout.user_id,
            appointment_type_id=checkout.appointment_type_id,
            status=SCHEDULED,
            created_at__range=(checkout.created_at - BEFORE, given.created_at + AFTER),
        )
        .exclude(pk__in=[given.appointment_id])
        .order_by("created_at", "pk")
    )


def _merge(book: Book, given: Fulfilment) -> tuple[uuid.UUID | None, list[uuid.UUID]]:
    """Return the booking that stays and those that went, or none of them when nothing is to be done."""
    if _orders_another(book.checkout):
        return None, []
    found = list(_twins(book.checkout, given).select_for_update())
    ours = Appointment.objects.select_for_update().filter(pk__in=[given.appointment_id]).first()
    untouched = _untouched([row.pk for row in (*found, *([ours] if ours is not None else []))])
    twins = [row for row in found if row.pk in untouched]
    if not twins or (ours is not None and not _stands(book, ours)):
        return None, []
    keeper = None
    if ours is None or (given.how == Fulfilment.How.MADE and ours.pk in untouched):
        # First away with ours: two rows must not carry one payment.
        keeper, twins = twins[0], twins[1:]
        if Appointment.objects.filter(payment=book.payment).exclude(pk__in=[keeper.pk, given.appointment_id]).exists():
            # It stands in a row that is more than a twin, and two must not carry one payment.
            return None, []
    removed = [row.pk for row in (*twins, *([ours] if keeper is not None and ours is not None else []))]
    Appointment.objects.filter(pk__in=removed).delete()
    if Appointment.objects.filter(pk__in=removed).exists():
        raise ForeignRefusal("a trigger of Supabase's keeps what we delete")
    if keeper is not None:
        attach(book, keeper)
        given.appointment_id, given.how = keeper.pk, Fulfilment.How.LINKED
    return given.appointment_id, removed


def _stands(book: Book, ours: Appointment) -> bool:
    """Whether what was given is still the booking that was ordered: else its twin may be wanted."""
    assert book.checkout.scheduled_at is not None  # noqa: S101 # Asked for new consultations only.
    here = ours.status == SCHEDULED and same_minute(ours.scheduled_at, book.checkout.scheduled_at)
    return here and ours.payment_id == book.payment_id


def _orders_another(checkout: Checkout) -> bool:
    """Whether the customer pays for this time once more at this moment: then a row may be meant for that."""
    assert checkout.scheduled_at is not None  # noqa: S101 # Asked for new consultations only.
    others = Checkout.objects.filter(
        within_minute("scheduled_at", checkout.scheduled_at),
        Q(provider_status__in=OPEN) | Q(give_at__isnull=False),
        user_id=checkout.user_id,
        appointment_type_id=checkout.appointment_type_id,
    )
    return others.exclude(pk=checkout.pk).exists()


def _untouched(ids: list[uuid.UUID]) -> set[uuid.UUID]:
    with connection.cursor() as cursor:
        cursor.execute(_UNTOUCHED, [ids])
        return {pk for (pk,) in cursor}
