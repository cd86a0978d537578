"""Whether a customer may pay for an order: what it costs, whose it is, and whether the time is free."""

import uuid
from decimal import Decimal

from django.db.models import Q
from django.utils import timezone

from payments.consultations.booking import own_rows
from payments.consultations.places import HOLDING_SLOT, booked_at, has_no_place, is_full, is_given, kept_at, may_be_of
from payments.errors import (
    AlreadyPaid,
    AppointmentClosed,
    AppointmentNotFound,
    OrderFault,
    OrderRefused,
    ProfileNotFound,
    SlotTaken,
)
from payments.models import Appointment, AppointmentType, Package, Profile
from payments.orders import Order
from payments.states import OrderKind


def check_price(order: Order, amount: Decimal) -> None:
    """Raise `OrderRefused` for what is not on sale, or costs another amount."""
    price = _price(order)
    if price is None:
        if order.kind == OrderKind.PACKAGE:
            raise OrderRefused(OrderFault.UNKNOWN_PACKAGE, "metadata.package_id")
        raise OrderRefused(OrderFault.UNKNOWN_APPOINTMENT_TYPE, "metadata.appointment_type_id")
    if price != amount:
        raise OrderRefused(OrderFault.OTHER_PRICE, "amount", price=price)


def _price(order: Order) -> Decimal | None:
    if order.package_id is not None:
        return Package.objects.filter(pk=order.package_id, is_active=True).values_list("price", flat=True).first()
    if order.appointment_type_id is not None:
        on_sale = AppointmentType.objects.filter(pk=order.appointment_type_id, is_active=True)
        return on_sale.values_list("price", flat=True).first()
    return None


def check_order(order: Order, user_id: uuid.UUID) -> None:
    """Raise what keeps this customer from paying for it; what belongs to others looks like nothing."""
    if order.profile_id is not None and not Profile.objects.filter(pk=order.profile_id, user_id=user_id).exists():
        raise ProfileNotFound
    if order.appointment_id is not None:
        _check_booked(order, order.appointment_id, user_id)
    elif order.kind == OrderKind.APPOINTMENT:
        _check_time(order, user_id)


def _check_booked(order: Order, appointment_id: uuid.UUID, user_id: uuid.UUID) -> None:
    booked = Appointment.objects.filter(pk=appointment_id, user_id=user_id).first()
    if booked is None:
        raise AppointmentNotFound
    if booked.payment_id is not None or Appointment.objects.filter(is_given(), pk=booked.pk).exists():
        raise AlreadyPaid
    if booked.status not in HOLDING_SLOT:
        raise AppointmentClosed
    if booked.appointment_type_id != order.appointment_type_id:
        raise OrderRefused(OrderFault.OTHER_APPOINTMENT_TYPE, "metadata.appointment_type_id")
    if _is_kept_for(booked):
        raise AlreadyPaid
    _check_rivals(booked)


def _is_kept_for(booked: Appointment) -> bool:
    """Whether this row is the one that a paid order of the same customer waits for."""
    kept = kept_at(booked.appointment_type_id, booked.scheduled_at).filter(user_id=booked.user_id)
    return any(row.pk == booked.pk for order in kept for row in own_rows(order)[:1])


def _check_time(order: Order, user_id: uuid.UUID) -> None:
    """The same rule as when it is fulfilled, so that nobody pays for a time that they cannot get.

    Nothing is reserved here: the time may be taken while the payer types in a card number.
    """
    if order.scheduled_at is None or order.scheduled_at <= timezone.now():
        raise OrderRefused(OrderFault.IN_THE_PAST, "metadata.scheduled_at")
    kind, start = order.appointment_type_id, order.scheduled_at
    assert kind is not None  # noqa: S101 # An order of a consultation has its kind.
    own = booked_at(kind, start).filter(user_id=user_id)
    for_the_same = Q(profile_id=order.profile_id)
    if own.filter(Q(payment__isnull=False) | is_given(), for_the_same).exists():
        raise AlreadyPaid
    if kept_at(kind, start).filter(for_the_same, user_id=user_id).exists():
        # Paid a moment ago, and not in the table of consultations yet.
        raise AlreadyPaid
    unpaid = own.filter(~is_given(), may_be_of(order.profile_id), payment__isnull=True).order_by("created_at").first()
    if unpaid is not None:
        # The front end booked it by itself; the payment is going to be linked to it.
        _check_rivals(unpaid)
    elif is_full(kind, start):
        raise SlotTaken


def _check_rivals(own: Appointment) -> None:
    if has_no_place(own):
        raise SlotTaken
