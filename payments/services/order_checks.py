"""Whether a customer may pay for an order: what it costs, whose it is, and whether the time is free."""

import uuid
from decimal import Decimal

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from payments.models import Appointment, AppointmentType, Package, Profile
from payments.orders import Order
from payments.problems import (
    AlreadyPaid,
    AppointmentClosed,
    AppointmentNotFound,
    OrderRefused,
    ProfileNotFound,
    SlotTaken,
)
from payments.services.fulfil import HOLDING_SLOT, rivals_of
from payments.states import OrderKind


def check_price(order: Order, amount: Decimal) -> None:
    """Raise `OrderRefused` for what is not on sale, or costs another amount."""
    price = _price(order)
    if price is None:
        if order.kind == OrderKind.PACKAGE:
            raise OrderRefused("metadata.package_id", "unknown_package", "this package is not on sale")
        text = "this kind of consultation is not on sale"
        raise OrderRefused("metadata.appointment_type_id", "unknown_appointment_type", text)
    if price != amount:
        raise OrderRefused("amount", "amount_mismatch", f"the price is {price}")


def _price(order: Order) -> Decimal | None:
    if order.package_id is not None:
        return Package.objects.filter(pk=order.package_id, is_active=True).values_list("price", flat=True).first()
    if order.appointment_type_id is not None:
        on_sale = AppointmentType.objects.filter(pk=order.appointment_type_id, is_active=True)
        return on_sale.values_list("price", flat=True).first()
    return None


def check_order(order: Order, user_id: uuid.UUID) -> None:
    """Raise the problem that keeps this customer from paying for it; what belongs to others looks like nothing."""
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
    if booked.payment_id is not None:
        raise AlreadyPaid
    if booked.status not in HOLDING_SLOT:
        raise AppointmentClosed
    if booked.appointment_type_id != order.appointment_type_id:
        text = "the booked consultation is of another kind"
        raise OrderRefused("metadata.appointment_type_id", "appointment_type_mismatch", text)
    _check_rivals(booked)


def _check_time(order: Order, user_id: uuid.UUID) -> None:
    """The same rule as when it is fulfilled, so that nobody pays for a time that they cannot get.

    Nothing is reserved here: the time may be taken while the payer types in a card number.
    """
    if order.scheduled_at is None or order.scheduled_at <= timezone.now():
        raise OrderRefused("metadata.scheduled_at", "scheduled_in_the_past", "the time has passed")
    booked = Appointment.objects.filter(
        appointment_type_id=order.appointment_type_id, scheduled_at=order.scheduled_at, status__in=HOLDING_SLOT
    )
    own = booked.filter(user_id=user_id)
    unpaid = own.filter(payment__isnull=True).order_by("created_at").first()
    if unpaid is not None:
        # The front end booked it by itself; the payment is going to be linked to it.
        _check_rivals(unpaid)
        return
    if own.filter(Q(profile_id=order.profile_id)).exists():
        raise AlreadyPaid
    if booked.count() >= settings.APPOINTMENT_SLOT_CAPACITY:
        raise SlotTaken


def _check_rivals(own: Appointment) -> None:
    if rivals_of(own).count() >= settings.APPOINTMENT_SLOT_CAPACITY:
        raise SlotTaken
