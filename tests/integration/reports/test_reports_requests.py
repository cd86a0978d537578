"""Asking for a report over HTTP."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings
from django.db import connections

from reports.making.asking import request_report
from reports.models import Kind, Report, RequestedBy, Status
from tests.support.report_callers import REPORTS, Caller, content_of
from tests.support.report_deliveries import (
    ANNA,
    ARTYOM_CHECKUP,
    IGOR,
    MARIA_CHECKUP,
    NOWHERE,
    attempt,
    delete_message,
    make,
    queued_reports,
)

pytestmark = pytest.mark.usefixtures("seeded_database", "broker_url", "storage_server")


def test_asking_queues_a_message_that_makes_the_report(anna: Caller) -> None:
    answer = anna.ask(report_type="csv")
    assert answer.status_code == 202
    asked = answer.json()
    assert (asked["status"], asked["report_type"], asked["stored_at"]) == ("queued", "csv", None)
    (body,) = queued_reports()
    assert {**body, "created_at": ""} == {
        "assessment_id": str(MARIA_CHECKUP),
        "user_id": str(ANNA),
        "report_type": "csv",
        "created_at": "",
        # Before what strangers ask for: their function sets none.
        "priority": 10,
    }
    report = Report.objects.get(pk=asked["id"])
    assert report.requested_by == RequestedBy.OWNER
    attempt(report.msg_id)
    made = anna.get(f"{REPORTS}/{asked['id']}").json()
    assert made["status"] == "stored"


def test_a_pdf_is_what_is_made_when_nothing_else_is_named(anna: Caller) -> None:
    assert anna.ask().json()["report_type"] == "pdf"


def test_asking_twice_makes_one_report(anna: Caller) -> None:
    first, second = anna.ask().json(), anna.ask().json()
    assert first["id"] == second["id"]
    assert len(queued_reports()) == 1


def test_asking_again_for_a_report_that_is_there_makes_it_anew_and_keeps_the_old_one_meanwhile(anna: Caller) -> None:
    report = make(kind="json")
    assert anna.ask(report_type="json").json()["id"] == str(report.pk)
    assert anna.get(f"{REPORTS}/{report.pk}").json()["status"] == "queued"
    assert content_of(anna.get(f"{REPORTS}/{report.pk}/file"))
    attempt(Report.objects.get().msg_id)
    assert Report.objects.get().status == Status.STORED


def test_a_report_whose_message_vanished_can_be_asked_for_again(anna: Caller) -> None:
    anna.ask()
    lost = Report.objects.get().msg_id
    delete_message(lost)
    anna.ask()
    assert Report.objects.get().msg_id != lost
    assert len(queued_reports()) == 1


@pytest.mark.parametrize(
    ("assessment_id", "status", "code"),
    [
        (ARTYOM_CHECKUP, 404, "assessment_not_found"),
        (NOWHERE, 404, "assessment_not_found"),
        ("c0000000-0000-4000-8000-000000000007", 409, "assessment_not_completed"),
        ("first", 400, "validation_error"),
    ],
)
def test_only_a_completed_checkup_of_ones_own_can_be_asked_for(
    anna: Caller, assessment_id: object, status: int, code: str
) -> None:
    answer = anna.ask(assessment_id)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["error"]
    assert not Report.objects.exists()
    assert queued_reports() == []


def test_an_unknown_kind_is_refused(anna: Caller) -> None:
    answer = anna.ask(report_type="docx")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "report_type"
    assert queued_reports() == []


def test_asking_has_a_limit_of_its_own(anna: Caller) -> None:
    limit = settings.API_THROTTLES["reports_create"]
    assert [anna.ask().status_code for _ in range(limit + 1)] == [202] * limit + [429]
    assert anna.get(REPORTS).status_code == 200
    assert Caller(IGOR).ask(ARTYOM_CHECKUP).status_code == 202


def test_ten_clicks_at_once_queue_one_message() -> None:
    def click(_: int) -> int:
        try:
            asked = request_report(
                assessment_id=MARIA_CHECKUP, user_id=ANNA, kind=Kind.PDF, requested_by=RequestedBy.OWNER
            )
            return asked.msg_id
        finally:
            connections.close_all()

    with ThreadPoolExecutor(5) as pool:
        numbers = set(pool.map(click, range(10)))
    assert numbers == {Report.objects.get().msg_id}
    assert len(queued_reports()) == 1
