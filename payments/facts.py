"""What a mail may say about a payment or a consultation: found by the id, and shown to the payer and nobody else."""

from datetime import UTC, datetime
from uuid import UUID

from django.db import connection

from bridge.sql.prepared import Part, execute
from notifications.recipients import is_address_of, same_recipient
from notifications.writing.facts import NONE, Facts, Meeting, Purchase
from payments.errors import InvalidOrder
from payments.models import Appointment, AppointmentType, Package, Payment
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


# An order that was frozen, whose it is, and what there is of it in the catalogue: one look, as every mail about a
# payment takes it. Sub-selects, as the planner thinks longer about joins than the query takes.
_FROZEN = """
SELECT c.kind, c.scheduled_at, c.appointment_id IS NOT NULL,
       (SELECT email FROM public.users WHERE id = c.user_id),
       (SELECT name FROM public.appointment_types WHERE id = c.appointment_type_id),
       (SELECT scheduled_at FROM public.appointments WHERE id = c.appointment_id AND user_id = c.user_id),
       (SELECT name FROM public.packages WHERE id = c.package_id),
       (SELECT session_count FROM public.packages WHERE id = c.package_id)
FROM payments_checkout AS c WHERE c.payment_id = %(payment_id)s::uuid
"""


def facts_of_payment(payment_id: UUID, recipient: str) -> Facts:
    """What it is for, if it is the recipient's."""
    with connection.cursor() as cursor:
        execute(cursor, [Part(_FROZEN)], {"payment_id": payment_id})
        frozen = cursor.fetchone()
    if frozen is None:
        return _facts_of_foreign(payment_id, recipient)
    kind, asked_for, is_booked, email, type_name, booked_at, package_name, sessions = frozen
    if email is None or not same_recipient(email, recipient):
        return NONE
    if kind == OrderKind.PACKAGE:
        return Facts(_package(package_name, sessions), of_customer=True)
    starts_at = _sensible(booked_at) if is_booked else asked_for
    return Facts(_consultation(type_name, starts_at) if kind else None, of_customer=True)


def _facts_of_foreign(payment_id: UUID, recipient: str) -> Facts:
    """Of a payment that we did not start, by what its row says."""
    row = Payment.objects.filter(pk=payment_id).first()
    if row is None or not is_address_of(row.user_id, recipient):
        return NONE
    return Facts(purchase=_purchase(_claimed(row), row.user_id), of_customer=True)


def _package(name: str | None, sessions: int | None) -> Purchase | None:
    line = linkless_line(name or "", MOST_NAME)
    return Purchase(line, sessions=sessions) if line else None


def _consultation(name: str | None, starts_at: datetime | None) -> Purchase | None:
    line = linkless_line(name or "", MOST_NAME)
    return Purchase(line, starts_at=starts_at) if line else None


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
    meeting = Meeting(appointment_id, starts_at, minutes, _revision(updated_at), is_online)
    return Facts(meeting=meeting, of_customer=True)


def _revision(updated_at: datetime | None) -> int:
    seconds = 0 if updated_at is None else int((updated_at - _EPOCH).total_seconds())
    return seconds if 0 < seconds <= _MOST_REVISION else 0


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
        return _package(package.name, package.session_count) if package else None
    kind = AppointmentType.objects.filter(pk__in=[order.appointment_type_id]).first()
    return _consultation(kind.name, _start(order, user_id)) if kind else None


def _start(order: Order, user_id: UUID) -> datetime | None:
    if order.appointment_id is None:
        return order.scheduled_at
    booked = Appointment.objects.filter(pk=order.appointment_id, user_id=user_id)
    return _sensible(booked.values_list("scheduled_at", flat=True).first())


def _sensible(start: datetime | None) -> datetime | None:
    return start if start is not None and start.year in YEARS else None
