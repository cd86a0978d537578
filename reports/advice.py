"""What staff read about a report that was not made or cannot be had, and what they can do, by the kind of error."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from bridge.reasons import FailureReason
from reports.errors import AssessmentMissing, AssessmentNotCompleted, FileUnavailable, ReportError, ReportNotReady
from reports.models import Report

_BY_ERROR: dict[str, str | Promise] = {
    "NotCalculatedYet": gettext_lazy(
        "The check-up is completed, and its results were not calculated. Ask the developers of the site to have them "
        "calculated, then generate the report again."
    ),
    "AssessmentNotCompleted": gettext_lazy(
        "The client has not finished the check-up. A report is made by itself as soon as they do."
    ),
    "AssessmentMissing": gettext_lazy("There is no such check-up: it was deleted, or the message was forged."),
    "NotTheOwner": gettext_lazy(
        "Somebody asked for a report about a check-up of another family, and was refused. Nothing has to be done."
    ),
    "StorageRefused": gettext_lazy(
        "The storage refuses our files. Check the bucket and the service key in the settings, "
        "then generate the report again."
    ),
    "StorageUnavailable": gettext_lazy(
        "The storage did not answer at any attempt. Once it works again, generate the report again."
    ),
}

_BY_REASON: dict[str, str | Promise] = {
    FailureReason.RETRIES_EXHAUSTED: gettext_lazy(
        "Every attempt failed. Show the error to the developers; once it is mended, generate the report again."
    ),
    FailureReason.PERMANENT_ERROR: gettext_lazy(
        "A repeat would end in the same way. Show the error to the developers."
    ),
    FailureReason.INVALID_MESSAGE: gettext_lazy(
        "The message in the queue is not one that asks for a report. Show the error to the developers."
    ),
    FailureReason.WORKER_LOST: gettext_lazy(
        "The worker died during every attempt. Look at logs/error.log around the time of the last change, "
        "restart the worker, then generate the report again."
    ),
    FailureReason.DISCARDED: gettext_lazy(
        "Somebody of the staff decided that this report need not be made. Who did it, and why, stands among the "
        "actions of operators."
    ),
    FailureReason.MESSAGE_GONE: gettext_lazy(
        "Somebody removed the message from the queue. If the client still needs the report, generate it again."
    ),
}

# What a page says when a button of it did not work.
REFUSALS: dict[type[ReportError], str | Promise] = {
    AssessmentMissing: gettext_lazy("There is no such check-up of this client."),
    AssessmentNotCompleted: gettext_lazy("The check-up is not completed."),
    ReportNotReady: gettext_lazy("This report has no document yet."),
    FileUnavailable: gettext_lazy("The storage does not give the document back right now."),
}


def advice_for(report: Report) -> str | Promise:
    """Empty for a report that did not fail."""
    return _BY_ERROR.get(report.error_type) or _BY_REASON[report.reason] if report.reason else ""


def refusal_text(error: ReportError) -> str:
    """Raises `KeyError` for an error that no button ends in."""
    return str(REFUSALS[type(error)])
