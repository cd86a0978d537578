"""Links that open one report for whoever holds them, for a while: they stand in the mail, and nowhere else."""

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.core.signing import BadSignature, SignatureExpired, TimestampSigner, b62_encode

from bridge.errors import PermanentError, Refused
from notifications.recipients import is_address_of
from reports.errors import LinkExpired, LinkInvalid
from reports.models import Report


class _DatedSigner(TimestampSigner):
    """Signs as of a moment that the caller names."""

    def __init__(self, salt: str, at: datetime | None = None) -> None:
        super().__init__(salt=salt)
        self._at = at

    def timestamp(self) -> str:
        return b62_encode(int(self._at.timestamp())) if self._at else super().timestamp()


# Of the view `report-file`. Asking Django for it would have each child of a worker load all pages for its first mail.
FILE_PATH = "api/reports/{}/file"
# Binds the signature to this purpose: nothing else that is signed here opens a report.
_SALT = "reports.file-link"


def make_file_url(report_id: UUID, *, at: datetime | None = None) -> str:
    """The address of the report's file on this service, which works without signing in for `REPORT_LINK_DAYS`.

    The days count from `at`, by default from now; the same moment gives the same address.
    """
    token = _DatedSigner(_SALT, at).sign(str(report_id)).partition(":")[2]
    return f"{settings.API_BASE_URL.rstrip('/')}/{FILE_PATH.format(report_id)}?token={token}"


def make_recipients_link(report_id: UUID, recipient: str, at: datetime) -> str:
    """As `make_file_url`, for a mail to the report's own client.

    Ids of reports stand in a queue that others can read and fill: an id alone must open nothing for them. Raises
    `Refused` when the report is not of the client with this address, `PermanentError` when it is gone.
    """
    report = Report.objects.filter(pk=report_id).only("user_id", "storage_key").first()
    if report is None or not report.has_document:
        raise PermanentError(f"there is no document of report {report_id} any more")
    if not is_address_of(report.user_id, recipient):
        raise Refused(f"report {report_id} is not of the client with this address")
    return make_file_url(report_id, at=at)


def check_token(report_id: UUID, token: str) -> None:
    """Raises `LinkExpired`, or `LinkInvalid` for a token that was not made here for this very report."""
    try:
        _DatedSigner(_SALT).unsign(f"{report_id}:{token}", max_age=timedelta(days=settings.REPORT_LINK_DAYS))
    except SignatureExpired as expired:
        raise LinkExpired from expired
    except BadSignature as bad:
        raise LinkInvalid from bad
