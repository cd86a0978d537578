"""Links to reports: made for the one client and the one report, for so many days, and for nobody and nothing else."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.core.signing import TimestampSigner
from django.utils import timezone
from freezegun import freeze_time
from pytest_django import Settings

from bridge.errors import PermanentError, Refused
from reports.errors import LinkExpired, LinkInvalid
from reports.making.asking import request_report
from reports.models import Kind, RequestedBy
from reports.storage.links import check_token, make_file_url, make_recipients_link
from tests.support.report_deliveries import ANNA, ARTYOM_CHECKUP, IGOR, MARIA_CHECKUP, make, set_email
from wording.our_address import our_address

ANNAS, IGORS = "anna@example.org", "igor@example.org"


def token_of(url: str) -> str:
    return url.partition("?token=")[2]


@pytest.mark.usefixtures("seeded_database", "storage_server")
def test_each_client_gets_a_link_to_their_own_report_and_to_no_other() -> None:
    set_email(ANNA, ANNAS)
    set_email(IGOR, IGORS)
    annas, igors = make(MARIA_CHECKUP, ANNA, "json"), make(ARTYOM_CHECKUP, IGOR, "json")
    now = timezone.now()
    for report, own, other in ((annas, ANNAS, IGORS), (igors, IGORS, ANNAS)):
        assert make_recipients_link(report.pk, own, now) == make_file_url(report.pk, at=now)
        with pytest.raises(Refused):
            make_recipients_link(report.pk, other, now)


@pytest.mark.usefixtures("seeded_database", "storage_server")
def test_there_is_no_link_to_a_report_that_has_no_document_or_is_gone() -> None:
    set_email(ANNA, ANNAS)
    waiting = request_report(assessment_id=MARIA_CHECKUP, user_id=ANNA, kind=Kind.PDF, requested_by=RequestedBy.OWNER)
    for report_id in (waiting.pk, uuid4()):
        with pytest.raises(PermanentError, match="there is no document"):
            make_recipients_link(report_id, ANNAS, timezone.now())


REPORT = UUID("5f000000-0000-4000-8000-000000000001")
OTHER = UUID("5f000000-0000-4000-8000-000000000002")


def test_a_link_leads_to_the_view_of_the_file() -> None:
    assert make_file_url(REPORT).partition("?")[0] == our_address("report-file", REPORT)


def test_a_token_opens_its_own_report_alone() -> None:
    token = token_of(make_file_url(REPORT))
    check_token(REPORT, token)
    with pytest.raises(LinkInvalid):
        check_token(OTHER, token)


def test_what_is_signed_for_another_purpose_opens_nothing() -> None:
    for salt in ("", "django.core.signing.TimestampSigner", "reports"):
        signed = TimestampSigner(salt=salt or None).sign(str(REPORT))
        with pytest.raises(LinkInvalid):
            check_token(REPORT, signed.partition(":")[2])


@pytest.mark.parametrize("token", ["", ":", "x", "1:", ":1", "1:x:y", "\0", "я"])
def test_what_is_no_token_is_invalid_and_no_error(token: str) -> None:
    with pytest.raises(LinkInvalid):
        check_token(REPORT, token)


def test_the_days_count_from_the_moment_that_was_named(settings: Settings) -> None:
    settings.REPORT_LINK_DAYS = 30
    made_at = timezone.now()
    token = token_of(make_file_url(REPORT, at=made_at))
    for days, opens in ((29, True), (31, False)):
        with freeze_time(made_at + timedelta(days=days)):
            if opens:
                check_token(REPORT, token)
                continue
            with pytest.raises(LinkExpired):
                check_token(REPORT, token)
