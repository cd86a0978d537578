"""Tells which mails about a booking are about the same one: Supabase mails for each row, and some rows are one booking.

Such a mail is also the first news that the front end has inserted its row, so what waits for it is given here.
"""

import logging
import uuid

from django.db import InterfaceError, OperationalError
from django.db.models import Q

from notifications.writing.catalogue import AppointmentConfirmation, Content
from payments.checking.held import give_held
from payments.minutes import within_minute
from payments.models import Appointment, Checkout, Fulfilment
from payments.states import Door, OrderKind, ProviderStatus

logger = logging.getLogger(__name__)


def give_and_name_booking(content: Content) -> str:
    """Name the payment whose booking a mail is about; one that waits for this very row is given it first.

    Empty for a booking of no payment. Anybody may ask for a mail.
    """
    try:
        appointment_id = uuid.UUID(content.appointment_id) if isinstance(content, AppointmentConfirmation) else None
    except ValueError:
        appointment_id = None
    if appointment_id is None:
        return ""
    try:
        payment_id = _payment_of(appointment_id) or _give_to_payment(appointment_id)
    except (InterfaceError, OperationalError):
        raise
    except Exception:
        # The mail goes out all the same, at worst a second time.
        logger.exception("the booking %s could not be compared with what was paid", appointment_id)
        return ""
    return "" if payment_id is None else f"booking of {payment_id}"


def _payment_of(appointment_id: uuid.UUID) -> uuid.UUID | None:
    given = Fulfilment.objects.filter(Q(appointment_id=appointment_id) | Q(merged__contains=[appointment_id]))
    return given.values_list("pk", flat=True).first()


def _give_to_payment(appointment_id: uuid.UUID) -> uuid.UUID | None:
    """Give the row to a payment that waits for it, or merge it with what was given; returns that payment."""
    row = Appointment.objects.filter(pk=appointment_id).first()
    if row is None:
        return None
    paid = Checkout.objects.filter(
        within_minute("scheduled_at", row.scheduled_at),
        Q(give_at__isnull=False) | Q(payment__fulfilment__isnull=False),
        kind=OrderKind.APPOINTMENT,
        appointment_id__isnull=True,
        provider_status=ProviderStatus.SUCCEEDED,
        user_id=row.user_id,
        appointment_type_id=row.appointment_type_id,
    )
    for payment_id in paid.order_by("captured_at").values_list("pk", flat=True):
        give_held(payment_id, door=Door.QUEUE)
    return _payment_of(appointment_id)
