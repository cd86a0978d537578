"""Which failed reports still need a person. A report that was made again is not failed any more: its row says so.

What somebody discarded needs nobody.
"""

from datetime import timedelta

from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from bridge.reasons import FailureReason
from reports.models import UNFINISHED, Report, Status

# A forged claim, a check-up that is gone, one that is not finished: nothing has to be done, or it is done by itself.
NOBODYS = ("NotTheOwner", "AssessmentMissing", "AssessmentNotCompleted")
# No report takes as long with all its repeats, so the queue stands still or is very long.
LONG = timedelta(minutes=30)


def open_failures(reports: QuerySet[Report]) -> QuerySet[Report]:
    return reports.filter(~_settled(), status=Status.FAILED)


def settled_failures(reports: QuerySet[Report]) -> QuerySet[Report]:
    return reports.filter(_settled(), status=Status.FAILED)


def _settled() -> Q:
    return Q(error_type__in=NOBODYS) | Q(reason=FailureReason.DISCARDED)


def waiting_long(reports: QuerySet[Report]) -> QuerySet[Report]:
    """Those that were asked for long ago and are neither ready nor given up."""
    return reports.filter(status__in=UNFINISHED, updated_at__lt=Now() - LONG)
