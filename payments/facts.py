"""What a mail may say about a payment or a consultation: found by the id, and shown to the payer and nobody else."""

from datetime import UTC, datetime
from uuid import UUID

from django.db import connection

from notifications.recipients import is_address_of
from notifications.writing.facts import NONE, Facts, Meeting, Purchase
from payments.errors import InvalidOrder
from payments.models import Appointment, AppointmentType, Checkout, Package, Payment
from payments.orders import YEARS, Order, parse_order
from payments.states import OrderKind
from wording.plain_text import linkless_line

MOST_NAME = 200
MOST_MINUTES = 24 * 60
# Counting begins here, so that the number of a revision fits into the 32 bits that calendars keep it in.
_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
_MOST_REVISION = 2**31 - 1

# `duration_minutes` and `updated_at` are the customer's own to write.
_MEETING = """
SELECT a.user_id, a.scheduled_at, a.duration_minutes, t.duration_minutes, a.updated_at, a.meeting_format
FROM public.appointments AS a JOIN public.appointment_types AS t ON t.id = a.appointment_type_id
WHERE a.id = %s AND coalesce(a.status, 'scheduled') IN ('scheduled', 'in_progress')
"""


def facts_of_payment(payment_id: UUID, recipient: str) -> Facts:
    """What it is for, if it is the recipient's."""
    checkout = Checkout.objects.filter(pk=payment_id).first()
    row = None if checkout else Payment.objects.filter(pk=payment_id).first()
    owner = checkout or row
    if owner is None or not is_address_of(owner.user_id, recipient):
        return NONE
    return Facts(purchase=_purchase(_frozen(checkout) if checkout else _claimed(row), owner.user_id))


def facts_of_appointment(appointment_id: UUID, recipient: str) -> Facts:
    """When it will be, if it is the recipient's and is to take place."""
    with connection.cursor() as cursor:
        cursor.execute(_MEETING, [appointment_id])
        found = cursor.fetchone()
    if found is None:
        return NONE
    user_id, starts_at, own_minutes, usual_minutes, updated_at, where = found
    minutes = next((one for one in (own_minutes, usual_minutes) if one and 0 < one <= MOST_MINUTES), None)
    if minutes is None or starts_at.year not in YEARS or not is_address_of(user_id, recipient):
        return NONE
    is_online = (where or "online") == "online"
    return Facts(meeting=Meeting(appointment_id, starts_at, minutes, _revision(updated_at), is_online))


def _revision(updated_at: datetime | None) -> int:
    seconds = 0 if updated_at is None else int((updated_at - _EPOCH).total_seconds())
    return seconds if 0 < seconds <= _MOST_REVISION else 0


def _frozen(checkout: Checkout) -> Order | None:
    """The order that the price was computed for."""
    if not checkout.kind:
        return None
    return Order(
        OrderKind(checkout.kind),
        appointment_type_id=checkout.appointment_type_id,
        appointment_id=checkout.appointment_id,
        scheduled_at=checkout.scheduled_at,
        package_id=checkout.package_id,
    )


def _claimed(row: Payment | None) -> Order | None:
    """What the row of a payment that we did not start says: its payer wrote that, and it says only what is on sale."""
    try:
        return parse_order(row.metadata) if row else None
    except InvalidOrder:
        return None


def _purchase(order: Order | None, user_id: UUID) -> Purchase | None:
    if order is None:
        return None
    if order.kind == OrderKind.PACKAGE:
        package = Package.objects.filter(pk__in=[order.package_id]).first()
        name = linkless_line(package.name, MOST_NAME) if package else ""
        return Purchase(name, sessions=package.session_count) if package and name else None
    kind = AppointmentType.objects.filter(pk__in=[order.appointment_type_id]).first()
    name = linkless_line(kind.name, MOST_NAME) if kind else ""
    return Purchase(name, starts_at=_start(order, user_id)) if name else None


def _start(order: Order, user_id: UUID) -> datetime | None:
    if order.appointment_id is None:
        return order.scheduled_at
    booked = Appointment.objects.filter(pk=order.appointment_id, user_id=user_id)
    start = booked.values_list("scheduled_at", flat=True).first()
    return start if start is not None and start.year in YEARS else None
