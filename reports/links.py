"""Links that open one report for whoever holds them, for a while: they stand in the mail."""

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.core.signing import BadSignature, SignatureExpired, TimestampSigner
from django.urls import reverse

from reports.problems import LinkExpired, LinkInvalid

# Binds the signature to this purpose: nothing else that is signed here opens a report.
_signer = TimestampSigner(salt="reports.file-link")


def make_file_url(report_id: UUID) -> str:
    """The address of the report's file on this service, which works without signing in for `REPORT_LINK_DAYS`."""
    token = _signer.sign(str(report_id)).partition(":")[2]
    return f"{settings.API_BASE_URL.rstrip('/')}{reverse('report-file', args=[report_id])}?token={token}"


def check_token(report_id: UUID, token: str) -> None:
    """Raises `LinkExpired`, or `LinkInvalid` for a token that was not made here for this very report."""
    try:
        _signer.unsign(f"{report_id}:{token}", max_age=timedelta(days=settings.REPORT_LINK_DAYS))
    except SignatureExpired as expired:
        raise LinkExpired from expired
    except BadSignature as bad:
        raise LinkInvalid from bad
