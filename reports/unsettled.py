"""Which failed reports still need a person. A report that was made again is not failed any more: its row says so.

What somebody discarded needs nobody.
"""

from django.db.models import Q, QuerySet

from bridge.reasons import FailureReason
from reports.models import Report, Status

# A forged claim, a check-up that is gone, one that is not finished: nothing has to be done, or it is done by itself.
NOBODYS = ("NotTheOwner", "AssessmentMissing", "AssessmentNotCompleted")


def open_failures(reports: QuerySet[Report]) -> QuerySet[Report]:
    return reports.filter(~_settled(), status=Status.FAILED)


def settled_failures(reports: QuerySet[Report]) -> QuerySet[Report]:
    return reports.filter(_settled(), status=Status.FAILED)


def _settled() -> Q:
    return Q(error_type__in=NOBODYS) | Q(reason=FailureReason.DISCARDED)
