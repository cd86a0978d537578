"""How staff find reports: by what people and logs name them with."""

from uuid import UUID

from django.db.models import CharField, Q, QuerySet
from django.db.models.expressions import RawSQL

from reports.models import Report
from reports.owners import find_users

MOST_BIGINT = 2**63

# Supabase's table is nobody's model in this package.
_EMAIL = "SELECT users.email FROM public.users WHERE users.id = reports_report.user_id"


def with_email(reports: QuerySet[Report]) -> QuerySet[Report]:
    """Adds the owner's address as `email`."""
    return reports.annotate(email=RawSQL(_EMAIL, (), output_field=CharField()))  # noqa: S611  # A constant.


def search_reports(reports: QuerySet[Report], text: str) -> QuerySet[Report]:
    """Those with this id, assessment, client, message number or trace id, or a client with this piece of an address."""
    found = Q(trace_id=text)
    if text.isascii() and text.isdigit() and int(text) < MOST_BIGINT:
        found |= Q(msg_id=int(text))
    try:
        value = UUID(text)
    except ValueError:
        found |= Q(user_id__in=find_users(text))
    else:
        found |= Q(pk=value) | Q(assessment_id=value) | Q(user_id=value)
    return reports.filter(found)
