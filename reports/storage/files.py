"""A stored report as a download."""

import logging
from datetime import datetime
from io import BytesIO

from django.http import FileResponse
from django.utils import timezone
from django.utils.timezone import localtime

from reports.errors import FileUnavailable, ReportNotReady
from reports.models import UNFINISHED, Kind, Report
from reports.storage.storage import StorageError, StorageUnavailable, read_document

logger = logging.getLogger(__name__)

MEDIA_TYPES = {
    Kind.PDF: "application/pdf",
    Kind.CSV: "text/csv; charset=utf-8",
    Kind.JSON: "application/json",
}
LOOK_AGAIN_SECONDS = 5


def file_response(report: Report) -> FileResponse:
    """The report's document, for this caller's eyes only: nobody on the way may keep or reinterpret it.

    Raises `ReportNotReady` and `FileUnavailable`.
    """
    if not report.has_document:
        raise ReportNotReady(retry_after=LOOK_AGAIN_SECONDS if report.status in UNFINISHED else None)
    try:
        content = read_document(report)
    except (StorageError, OSError) as error:
        # An outage of the storage ends by itself; a document that is gone does not come back.
        level = logging.WARNING if isinstance(error, StorageUnavailable) else logging.ERROR
        logger.log(level, "the document of report %s cannot be had: %s", report.pk, error)
        raise FileUnavailable from error
    kind = Kind(report.kind)
    # Django writes a name that is not ASCII as RFC 6266 wants it.
    response = FileResponse(
        BytesIO(content),
        as_attachment=True,
        filename=file_name(kind, report.stored_at or timezone.now()),
        content_type=MEDIA_TYPES[kind],
    )
    response["Cache-Control"] = "private, no-store"
    response["X-Content-Type-Options"] = "nosniff"
    response["Referrer-Policy"] = "no-referrer"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


def file_name(kind: Kind, stored_at: datetime) -> str:
    """A name without the child's: downloads end up in shared folders and on other people's screens."""
    return f"Отчёт Little Otter от {localtime(stored_at):%d.%m.%Y}.{kind.value}"
