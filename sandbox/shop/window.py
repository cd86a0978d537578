"""What the shop reads from Supabase's tables, where the real front end asks Supabase's REST layer."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.utils import timezone

OPENS, CLOSES = time(9), time(21)
STEP = timedelta(minutes=30)
TIMES_SHOWN = 12

# Whose first click makes a report comes first: for a newcomer that is the one to begin with.
_FAMILIES = """
SELECT u.id, u.email, string_agg(p.first_name, ', ' ORDER BY p.id)
FROM public.users AS u JOIN public.profiles AS p ON p.user_id = u.id
WHERE u.email IS NOT NULL
GROUP BY u.id ORDER BY (
    SELECT count(*) FROM public.assessments AS a JOIN public.profiles AS m ON m.id = a.profile_id
    WHERE m.user_id = u.id AND a.status = 'completed' AND jsonb_path_exists(a.results_summary, '$.*.score')
) DESC, u.email
"""
_MEMBERS = "SELECT id, first_name FROM public.profiles WHERE user_id = %s ORDER BY id"
_CONSULTATIONS = """
SELECT id, name, coalesce(description, ''), duration_minutes, price
FROM public.appointment_types WHERE is_active AND price >= 1 ORDER BY price
"""
_TAKEN = """
SELECT appointment_type_id, date_trunc('minute', scheduled_at) AS minute FROM public.appointments
WHERE date_trunc('minute', scheduled_at) = ANY(%s) AND status IN ('scheduled', 'in_progress')
GROUP BY appointment_type_id, minute HAVING count(*) >= %s
"""
_PACKAGES = """
SELECT id, name, coalesce(description, ''), session_count, price
FROM public.packages WHERE is_active AND price >= 1 ORDER BY price
"""
_ASSESSMENTS = """
SELECT a.id, a.assessment_type, p.first_name, a.completed_at,
    coalesce(jsonb_path_exists(a.results_summary, '$.*.score'), false)
FROM public.assessments AS a JOIN public.profiles AS p ON p.id = a.profile_id
WHERE p.user_id = %s AND a.status = 'completed' ORDER BY a.completed_at DESC
"""
_BOUGHT = """
SELECT a.scheduled_at, b.sessions_remaining, b.expires_at
FROM public.payments AS p
LEFT JOIN public.appointments AS a ON a.payment_id = p.id
LEFT JOIN public.package_purchases AS b ON b.payment_id = p.id
WHERE p.id = %s AND p.user_id = %s
"""


@dataclass(frozen=True, slots=True)
class Family:
    """Somebody whom the shop lets in, and the first names of the family."""

    user_id: UUID
    email: str
    names: str


@dataclass(frozen=True, slots=True)
class Member:
    id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class Consultation:
    """A kind of consultation, and when it can still be booked (UTC)."""

    id: UUID
    name: str
    description: str
    minutes: int
    price: Decimal
    times: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class Package:
    id: UUID
    name: str
    description: str
    sessions: int
    price: Decimal


@dataclass(frozen=True, slots=True)
class Assessment:
    """A completed questionnaire; `kind` is checkup, parent or family. Without results there can be no report yet."""

    id: UUID
    kind: str
    name: str
    completed_at: datetime
    has_results: bool


@dataclass(frozen=True, slots=True)
class Bought:
    """What a payment brought: the time of a consultation, or the meetings of a package. All `None`: nothing so far."""

    scheduled_at: datetime | None
    sessions: int | None
    expires_at: datetime | None


def families() -> list[Family]:
    return [Family(*row) for row in _rows(_FAMILIES)]


def members(user_id: UUID) -> list[Member]:
    return [Member(*row) for row in _rows(_MEMBERS, user_id)]


def consultations(now: datetime) -> list[Consultation]:
    """What is on sale and costs something, the cheapest first."""
    times = upcoming_times(now)
    taken = {(kind, at) for kind, at in _rows(_TAKEN, times, settings.APPOINTMENT_SLOT_CAPACITY)}
    return [
        Consultation(kind, name, about, minutes, price, tuple(at for at in times if (kind, at) not in taken))
        for kind, name, about, minutes, price in _rows(_CONSULTATIONS)
    ]


def packages() -> list[Package]:
    return [Package(*row) for row in _rows(_PACKAGES)]


def assessments(user_id: UUID) -> list[Assessment]:
    """The newest first."""
    return [Assessment(*row) for row in _rows(_ASSESSMENTS, user_id)]


def bought(payment_id: UUID, *, user_id: UUID) -> Bought | None:
    """`None` when this user has no such payment."""
    rows = _rows(_BOUGHT, payment_id, user_id)
    return Bought(*rows[0]) if rows else None


def upcoming_times(now: datetime) -> list[datetime]:
    """The next half hours within opening time (Moscow), in UTC: today's, and tomorrow's when the day is nearly over."""
    at = timezone.localtime(now).replace(minute=0, second=0, microsecond=0)
    found: list[datetime] = []
    while len(found) < TIMES_SHOWN:
        if at > now and OPENS <= at.time() < CLOSES:
            found.append(at.astimezone(UTC))
        at += STEP
    return found


def _rows(query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return list(cursor.fetchall())
