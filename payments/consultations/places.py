"""Who has a place at a time: consultations that are booked, and those that are paid and not booked yet.

Two consultations of one kind start at the same time when they start in the same minute. A paid order has its place from
the moment of payment, while it still waits for its row.
"""

import uuid
from collections.abc import Iterable
from datetime import datetime

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from payments.ledger.locks import lock_slot
from payments.minutes import minute_of, within_minute
from payments.models import Appointment, Checkout, Fulfilment, Payment
from payments.states import OrderKind

SCHEDULED = "scheduled"
HOLDING_SLOT = (SCHEDULED, "in_progress")


def lock_place(kind: uuid.UUID, start: datetime) -> None:
    """Let one transaction at a time give away the places of a minute."""
    lock_slot(f"{kind} {int(minute_of(start).timestamp())}")


def booked_at(kind: uuid.UUID, start: datetime) -> QuerySet[Appointment]:
    """The consultations that take a place at this time, paid or not."""
    return Appointment.objects.filter(
        within_minute("scheduled_at", start), appointment_type_id=kind, status__in=HOLDING_SLOT
    )


def kept_at(kind: uuid.UUID, start: datetime) -> QuerySet[Checkout]:
    """The orders that are paid, and have a place at this time without a row of their own."""
    return Checkout.objects.filter(
        within_minute("scheduled_at", start),
        # Without its row nobody can be given anything for it.
        Exists(Payment.objects.filter(pk=OuterRef("pk"))),
        give_at__isnull=False,
        kind=OrderKind.APPOINTMENT,
        appointment_type_id=kind,
        appointment_id__isnull=True,
    )


def is_full(kind: uuid.UUID, start: datetime) -> bool:
    """Whether nobody else can have this time."""
    return _count(booked_at(kind, start), kept_at(kind, start)) >= settings.APPOINTMENT_SLOT_CAPACITY


def has_no_place(own: Appointment, *, payer: Checkout | None = None) -> bool:
    """Whether an appointment's time belongs to others, who have a better right to it.

    Those that were given for a payment, or booked before, and the places that are kept for payments other than `payer`.
    Customers insert such rows themselves, with any payment in them, so having one must not be a way into a time that
    somebody else has.
    """
    kind, start = own.appointment_type_id, own.scheduled_at
    # Whoever took the time of the booking away goes behind those that have one.
    earlier = Q(created_at__isnull=False) if own.created_at is None else Q(created_at__lt=own.created_at)
    others = booked_at(kind, start).filter(is_given() | earlier).exclude(pk=own.pk)
    kept = kept_at(kind, start).exclude(pk=None if payer is None else payer.pk)
    return _count(others, kept) >= settings.APPOINTMENT_SLOT_CAPACITY


def is_given() -> Exists:
    """That a row was given for a payment, whatever it says itself: customers can strike the payment out of it."""
    return Exists(Fulfilment.objects.filter(appointment_id=OuterRef("pk")))


def may_be_of(profile_id: uuid.UUID | None) -> Q:
    """The rows that may be meant by an order for this family member: the front end may leave the member out."""
    return Q() if profile_id is None else Q(profile_id=profile_id) | Q(profile_id__isnull=True)


def _count(booked: Iterable[Appointment], kept: Iterable[Checkout]) -> int:
    """How many places are taken. A payer's own unpaid row and the place that is kept for the payment are one."""
    rows = list(booked)
    unpaid = [row for row in rows if row.payment_id is None]
    places = len(rows)
    for order in kept:
        own = next((row for row in unpaid if _belongs_to(row, order)), None)
        if own is None:
            places += 1
        else:
            unpaid.remove(own)
    return places


def _belongs_to(row: Appointment, order: Checkout) -> bool:
    same_member = None in (row.profile_id, order.profile_id) or row.profile_id == order.profile_id
    return row.user_id == order.user_id and same_member
