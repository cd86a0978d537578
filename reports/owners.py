"""What Supabase's tables say about the people behind a report. Read with SQL: those tables are nobody's models here."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

_STANDING = """
SELECT profiles.user_id, assessments.status = 'completed'
FROM public.assessments LEFT JOIN public.profiles ON profiles.id = assessments.profile_id
WHERE assessments.id = %s
"""
# Reports of which the assessment is gone, or is another customer's by now.
_ABANDONED = """
SELECT report.id FROM reports_report AS report
LEFT JOIN public.assessments ON assessments.id = report.assessment_id
LEFT JOIN public.profiles ON profiles.id = assessments.profile_id
WHERE profiles.user_id IS DISTINCT FROM report.user_id
  AND (report.storage_key <> '' OR report.updated_at < %s)
ORDER BY report.updated_at
LIMIT %s
"""
MOST_FOUND = 1000


@dataclass(frozen=True, slots=True)
class Standing:
    """Whose an assessment is, if anybody's, and whether it is completed."""

    owner: UUID | None
    is_completed: bool


def find_standing(assessment_id: UUID) -> Standing | None:
    """`None` when there is no such assessment."""
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, [assessment_id])
        row = cursor.fetchone()
    return Standing(*row) if row else None


def owns(user_id: UUID, assessment_id: UUID) -> bool:
    standing = find_standing(assessment_id)
    return standing is not None and standing.owner == user_id


def find_abandoned(*, idle_since: datetime, most: int) -> list[UUID]:
    """Ids of reports whose customer does not own the assessment any more, or never did.

    Those with a document at once; the others, which only tell why there is none, once nothing happened `idle_since`.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ABANDONED, [idle_since, most])
        return [report_id for (report_id,) in cursor.fetchall()]


def find_email(user_id: UUID) -> str:
    """The user's mail address; empty when there is none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT email FROM public.users WHERE id = %s", [user_id])
        row = cursor.fetchone()
    return (row[0] or "").strip() if row else ""


def find_users(part_of_email: str) -> Iterable[UUID]:
    """Ids of users whose address contains the text, whatever the case; the first thousand of them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM public.users WHERE strpos(lower(email), lower(%s)) > 0 LIMIT %s",
            [part_of_email, MOST_FOUND],
        )
        return [user_id for (user_id,) in cursor.fetchall()]
