"""Gives the customer what was paid for, once. Runs inside the transaction that notes the payment as paid."""

import uuid
from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from payments.models import (
    Appointment,
    AppointmentType,
    Checkout,
    Fulfilment,
    Package,
    PackagePurchase,
    Payment,
    Profile,
)
from payments.services.attention import flag, settle
from payments.services.locks import lock_slot
from payments.services.timeline import record_event
from payments.states import Attention, Door, EventKind, OrderKind

SCHEDULED = "scheduled"
HOLDING_SLOT = (SCHEDULED, "in_progress")
HELD = "completed"
# How old a payment of the system before us may be for a machine to give something for it: that one gave it long ago.
OLD_PAYMENTS_WITHIN = timedelta(days=1)


class NotFulfillable(Exception):
    """What was paid for cannot be given by a machine."""

    def __init__(self, attention: Attention, note: str) -> None:
        self.attention = attention
        super().__init__(note)


def fulfil(payment: Payment, checkout: Checkout, *, vouched: bool, door: Door) -> None:
    """Link or make the consultation or package of a paid, locked payment; marks it for staff where that cannot be.

    `vouched` says that the provider itself names this payment as its own. Without that, only what is linked already
    counts: rows from before our time were written by the payer's browser.
    """
    if Fulfilment.objects.filter(pk=payment.pk).exists():
        return
    try:
        fulfilment = _found(payment, checkout) or _give_whole(payment, checkout, vouched=vouched)
    except NotFulfillable as why:
        flag(checkout, why.attention, str(why), door=door)
        return
    fulfilment.save(force_insert=True)
    record_event(
        payment.pk,
        EventKind.FULFILLED,
        door=door,
        what=fulfilment.kind,
        how=fulfilment.how,
        id=str(fulfilment.appointment_id or fulfilment.purchase_id),
    )
    settle(checkout, Attention.NOT_FULFILLED, Attention.SLOT_TAKEN, Attention.SLOT_PASSED, door=door)


def _found(payment: Payment, checkout: Checkout) -> Fulfilment | None:
    """What carries this payment's id already: given by the front end, or before our time.

    The payer's browser can write such a row, so for an order of ours it must be the very thing that was ordered.
    """
    ours = checkout.request_body is not None
    appointment = Appointment.objects.filter(payment_id=payment.pk).first()
    if appointment is not None:
        if appointment.user_id != payment.user_id or (ours and not _is_ordered(appointment, checkout)):
            why = f"the consultation {appointment.pk} carries this payment and is not what was ordered"
            raise NotFulfillable(Attention.NOT_FULFILLED, why)
        if ours and appointment.status != HELD:
            _check_place(appointment)
        return _appointment(payment, appointment.pk, Fulfilment.How.FOUND)
    purchase = PackagePurchase.objects.filter(payment_id=payment.pk, user_id=payment.user_id).first()
    if purchase is None:
        return None
    if ours and not _is_whole(purchase, checkout):
        why = f"the package {purchase.pk} carries this payment and is not what was ordered"
        raise NotFulfillable(Attention.NOT_FULFILLED, why)
    return _purchase(payment, purchase.pk, Fulfilment.How.FOUND)


def _is_ordered(appointment: Appointment, checkout: Checkout) -> bool:
    if appointment.appointment_type_id != checkout.appointment_type_id:
        return False
    if checkout.appointment_id is not None:
        return appointment.pk == checkout.appointment_id
    return appointment.scheduled_at == checkout.scheduled_at


def _is_whole(purchase: PackagePurchase, checkout: Checkout) -> bool:
    sessions = Package.objects.filter(pk=purchase.package_id).values_list("session_count", flat=True).first()
    # Fewer are left once some were used.
    return purchase.package_id == checkout.package_id and purchase.sessions_remaining <= (sessions or 0)


def _give_whole(payment: Payment, checkout: Checkout, *, vouched: bool) -> Fulfilment:
    """Give it, or nothing of it. What Supabase's tables refuse must not undo the news that the money is there."""
    try:
        with transaction.atomic():
            return _give(payment, checkout, vouched=vouched)
    except IntegrityError as error:
        refused = type(error.__cause__ or error).__name__
        why = f"the database refused the {checkout.kind} ({refused}): something of the order was deleted or taken"
        raise NotFulfillable(Attention.NOT_FULFILLED, why) from error


def _give(payment: Payment, checkout: Checkout, *, vouched: bool) -> Fulfilment:
    if not checkout.kind:
        raise NotFulfillable(Attention.NOT_FULFILLED, "the payment does not say what it is for")
    if checkout.request_body is None:
        if not vouched:
            raise NotFulfillable(Attention.NOT_FULFILLED, "YooKassa does not name this payment; look what it paid for")
        _check_age(checkout)
        _check_price(checkout)
    if checkout.kind == OrderKind.PACKAGE:
        return _sell_package(payment, checkout)
    if checkout.appointment_id is not None:
        return _pay_booked(payment, checkout, checkout.appointment_id)
    return _book(payment, checkout)


def _check_age(checkout: Checkout) -> None:
    """The system before us fulfilled its payments without a trace that the payer could not remove, and ask again."""
    paid = checkout.captured_at
    if paid is None or timezone.now() - paid > OLD_PAYMENTS_WITHIN:
        raise NotFulfillable(Attention.NOT_FULFILLED, "it was paid before our time; look what was given for it then")


def _check_price(checkout: Checkout) -> None:
    """The order of a payment that was not started here comes from a row that its payer can edit."""
    catalogue = AppointmentType if checkout.kind == OrderKind.APPOINTMENT else Package
    ordered = [one for one in (checkout.appointment_type_id, checkout.package_id) if one is not None]
    price = catalogue.objects.filter(pk__in=ordered).values_list("price", flat=True).first()
    if price != checkout.amount:
        raise NotFulfillable(Attention.NOT_FULFILLED, f"{checkout.amount} was paid for something that costs {price}")


def _sell_package(payment: Payment, checkout: Checkout) -> Fulfilment:
    package = Package.objects.filter(pk__in=[checkout.package_id]).first()
    if package is None:
        raise NotFulfillable(Attention.NOT_FULFILLED, f"the package {checkout.package_id} does not exist any more")
    purchase = PackagePurchase.objects.create(
        user_id=payment.user_id,
        package=package,
        sessions_remaining=package.session_count,
        payment=payment,
        purchased_at=timezone.now(),
    )
    return _purchase(payment, purchase.pk, Fulfilment.How.MADE)


def _pay_booked(payment: Payment, checkout: Checkout, appointment_id: uuid.UUID) -> Fulfilment:
    booked = Appointment.objects.select_for_update().filter(pk=appointment_id, user_id=payment.user_id).first()
    if booked is None:
        raise NotFulfillable(Attention.NOT_FULFILLED, f"the consultation {appointment_id} does not exist any more")
    if booked.payment_id is not None:
        why = f"the consultation {appointment_id} was paid with {booked.payment_id} already"
        raise NotFulfillable(Attention.NOT_FULFILLED, why)
    if booked.appointment_type_id != checkout.appointment_type_id:
        why = f"the consultation {appointment_id} is of another kind by now than the one that was paid"
        raise NotFulfillable(Attention.NOT_FULFILLED, why)
    return _link(booked, payment)


def _book(payment: Payment, checkout: Checkout) -> Fulfilment:
    kind, start = checkout.appointment_type_id, checkout.scheduled_at
    if kind is None or start is None:
        raise NotFulfillable(Attention.NOT_FULFILLED, "the payment names neither a consultation nor a time for one")
    lock_slot(f"{kind} {start.timestamp()}")
    at_that_time = Appointment.objects.select_for_update().filter(
        appointment_type_id=kind, scheduled_at=start, status__in=HOLDING_SLOT
    )
    # The front end may have booked it by itself, without the payment.
    own = at_that_time.filter(user_id=payment.user_id, payment__isnull=True).order_by("created_at").first()
    if own is not None:
        return _link(own, payment)
    if start <= timezone.now():
        raise NotFulfillable(Attention.SLOT_PASSED, f"the consultation was to start at {start.isoformat()}")
    if len(at_that_time) >= settings.APPOINTMENT_SLOT_CAPACITY:
        raise NotFulfillable(Attention.SLOT_TAKEN, f"somebody else has the time {start.isoformat()}")
    profile = Profile.objects.filter(pk__in=[checkout.profile_id], user_id=payment.user_id).first()
    made = Appointment.objects.create(
        user_id=payment.user_id,
        profile=profile,
        appointment_type_id=kind,
        scheduled_at=start,
        status=SCHEDULED,
        payment=payment,
    )
    return _appointment(payment, made.pk, Fulfilment.How.MADE)


def _check_place(own: Appointment) -> None:
    if own.status not in HOLDING_SLOT:
        raise NotFulfillable(Attention.NOT_FULFILLED, f"the consultation {own.pk} is {own.status}")
    lock_slot(f"{own.appointment_type_id} {own.scheduled_at.timestamp()}")
    if rivals_of(own).count() >= settings.APPOINTMENT_SLOT_CAPACITY:
        raise NotFulfillable(Attention.SLOT_TAKEN, f"somebody else has the time {own.scheduled_at.isoformat()}")


def _link(own: Appointment, payment: Payment) -> Fulfilment:
    _check_place(own)
    own.payment = payment
    # A status that was NULL reads as the column's default. Supabase's reminders look for the word itself.
    own.save(update_fields=["payment", "status"])
    return _appointment(payment, own.pk, Fulfilment.How.LINKED)


def rivals_of(own: Appointment) -> QuerySet[Appointment]:
    """Who has a better right to the time of an appointment: those that were given for a payment, or booked before.

    Customers insert such rows themselves, with any payment in them, so having one must not be a way into a time that
    somebody else has.
    """
    given = Fulfilment.objects.filter(appointment_id=OuterRef("pk"))
    others = Appointment.objects.filter(
        appointment_type_id=own.appointment_type_id, scheduled_at=own.scheduled_at, status__in=HOLDING_SLOT
    ).exclude(pk=own.pk)
    # Whoever took the time of the booking away goes behind those that have one.
    before = Q(created_at__isnull=False) if own.created_at is None else Q(created_at__lt=own.created_at)
    return others.filter(Q(Exists(given)) | before)


def _appointment(payment: Payment, appointment_id: uuid.UUID, how: Fulfilment.How) -> Fulfilment:
    return Fulfilment(payment=payment, kind=OrderKind.APPOINTMENT, how=how, appointment_id=appointment_id)


def _purchase(payment: Payment, purchase_id: uuid.UUID, how: Fulfilment.How) -> Fulfilment:
    return Fulfilment(payment=payment, kind=OrderKind.PACKAGE, how=how, purchase_id=purchase_id)
