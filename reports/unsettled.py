"""Which failed reports still need a person. A report that was made again is not failed any more: its row says so."""

from django.db.models import Q, QuerySet

from reports.models import Report, Status

# A forged claim, a check-up that is gone, one that is not finished: nothing has to be done, or it is done by itself.
NOBODYS = ("NotTheOwner", "AssessmentMissing", "AssessmentNotCompleted")


def open_failures(reports: QuerySet[Report]) -> QuerySet[Report]:
    return reports.filter(~Q(error_type__in=NOBODYS), status=Status.FAILED)


def settled_failures(reports: QuerySet[Report]) -> QuerySet[Report]:
    return reports.filter(status=Status.FAILED, error_type__in=NOBODYS)
