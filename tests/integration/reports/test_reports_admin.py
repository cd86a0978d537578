"""The reports as staff see them, through the pages of the admin."""

import re
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from bridge.reasons import FailureReason
from reports.advice import advice_for
from reports.models import REASONS, Kind, Report, RequestedBy, Status
from sandbox.storage import Fault, FaultKind, StorageServer
from tests.support.report_deliveries import ABANDONED, ANNA, ARTYOM_CHECKUP, IGOR, MARIA_CHECKUP, make, queued_reports

pytestmark = pytest.mark.usefixtures("seeded_database")

LIST = "/admin/reports/report/"
MOST_QUERIES = 12
ALL = ("view_report", "download_report", "regenerate_report")


@pytest.fixture
def support() -> Client:
    """Somebody who may do everything with reports, and is no superuser."""
    return client_with(*ALL)


def client_with(*permissions: str) -> Client:
    user = User.objects.create(username=uuid4().hex, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def row(status: Status = Status.STORED, **fields: object) -> Report:
    now = timezone.now()
    usual: dict[Status, dict[str, object]] = {
        Status.STORED: {
            "storage_key": uuid4().hex,
            "sha256": "0" * 64,
            "size": 12_600,
            "pages": 3,
            "duration_ms": 140,
            "stored_at": now,
            "preview": b"\x89PNG",
        },
        Status.FAILED: {"reason": FailureReason.PERMANENT_ERROR, "error": "no <way>", "error_type": "OSError"},
        Status.RETRYING: {"next_retry_at": now, "error": "not yet"},
    }
    common: dict[str, object] = {
        "assessment_id": uuid4(),
        "user_id": ANNA,
        "kind": Kind.PDF,
        "is_confirmed": True,
        "queue": "report_generation_queue",
        "msg_id": 7,
    }
    return Report.objects.create(**{**common, **usual.get(status, {}), **fields, "status": status})


def page_of(report: Report) -> str:
    return reverse("admin:reports_report_change", args=[report.pk])


def text(response: Any) -> str:
    """The page as people read it."""
    assert response.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", response.content.decode().replace("<wbr>", "")))


def test_the_list_shows_each_report(support: Client) -> None:
    for status in Status:
        row(status)
    shown = text(support.get(LIST))
    for piece in ("anna.sokolova@example.org", "PDF", "12,3 КБ", "0,14 с", *(str(status.label) for status in Status)):
        assert piece in shown


def test_the_list_costs_the_same_number_of_queries_however_long_it_is(support: Client) -> None:
    row()
    few = queries_by_page(support)
    for _ in range(30):
        row()
    assert queries_by_page(support) == few
    assert max(few.values()) <= MOST_QUERIES


def queries_by_page(client: Client) -> dict[str, int]:
    counts = {}
    for query in ("", "?status__exact=stored", "?q=anna", "?q=7"):
        with CaptureQueriesContext(connection) as queries:
            assert client.get(LIST + query).status_code == 200
        counts[query] = len(queries)
    return counts


def test_the_list_does_not_load_the_pictures(support: Client) -> None:
    row()
    with CaptureQueriesContext(connection) as queries:
        support.get(LIST)
    assert all('"preview"' not in query["sql"].split(" FROM ")[0] for query in queries)


def test_reports_are_found_by_what_people_and_logs_know_of_them(support: Client) -> None:
    anna, igor = row(trace_id="deadbeefdeadbeef"), row(user_id=IGOR, msg_id=4711)
    expected = {
        f"?q={anna.pk}": [anna],
        f"?q={anna.assessment_id}": [anna],
        f"?q={IGOR}": [igor],
        "?q=kovalev@EXAMPLE": [igor],
        "?q=4711": [igor],
        "?q=deadbeefdeadbeef": [anna],
        "?q=%25": [],
        "?q=99999999999999999999999999": [],
        f"?user_id={IGOR}": None,
    }
    for query, found in expected.items():
        response = support.get(LIST + query)
        if found is not None:
            assert list(response.context["cl"].queryset) == found


def test_every_page_opens_and_changes_nothing(support: Client) -> None:
    for status in Status:
        report = row(status)
        with CaptureQueriesContext(connection) as queries:
            shown = text(support.get(page_of(report)))
        assert len(queries) <= MOST_QUERIES
        assert str(status.label) in shown
        assert support.post(page_of(report), {"status": "stored"}).status_code == 403
        assert support.post(f"{LIST}{report.pk}/delete/").status_code == 403
    assert support.get(f"{LIST}add/").status_code == 403


def test_the_client_stands_on_a_page_by_address_and_by_number(support: Client) -> None:
    report = row()
    shown = text(support.get(page_of(report)))
    assert f"Номер отчёта: {report.pk}" in shown
    assert shown.count("Клиент:") == 1
    assert f"Номер клиента: {ANNA}" in shown
    assert "Длительность вёрстки: 0,14 с" in shown


def test_what_a_report_has_not_yet_is_a_dash_everywhere(support: Client) -> None:
    row(Status.FAILED)
    cells = re.findall(
        r'<td data-label="[^"]*" class="field-(\w+)[^"]*">([^<]*)</td>', support.get(LIST).content.decode()
    )
    assert {"file_size": "—", "pages": "—", "took": "—"}.items() <= dict(cells).items()


def test_a_failed_report_says_what_is_wrong_and_what_to_do(support: Client) -> None:
    report = row(Status.FAILED, error_type="NotCalculatedYet")
    response = support.get(page_of(report))
    assert "no &lt;way&gt;" in response.content.decode()
    assert str(advice_for(report)) in text(response)


def test_there_is_advice_for_every_reason_and_for_what_often_goes_wrong() -> None:
    advices = {str(advice_for(Report(status=Status.FAILED, reason=reason))) for reason in REASONS}
    assert len(advices) == len(REASONS)
    assert all(advices)
    assert advice_for(Report(status=Status.STORED)) == ""


@pytest.mark.usefixtures("storage_server")
def test_a_report_is_looked_at_and_downloaded_and_the_download_is_noted(support: Client) -> None:
    report = make()
    page = support.get(page_of(report)).content.decode()
    preview, file = f"{LIST}{report.pk}/preview/", f"{LIST}{report.pk}/file/"
    assert f'src="{preview}"' in page
    assert f'href="{file}"' in page
    picture = support.get(preview)
    assert picture.content == bytes(report.preview)
    assert (picture["Content-Type"], picture["X-Content-Type-Options"]) == ("image/png", "nosniff")
    assert "no-store" in picture["Cache-Control"]
    answer: Any = support.get(file)
    assert b"".join(answer).startswith(b"%PDF-")
    assert answer["Content-Disposition"].startswith("attachment;")
    assert "no-store" in answer["Cache-Control"]
    assert LogEntry.objects.get().object_id == str(report.pk)


def test_a_document_that_cannot_be_had_is_a_message_and_no_error(
    support: Client, storage_server: StorageServer
) -> None:
    report = make(kind="json")
    storage_server.faults.add(Fault(FaultKind.STATUS, status=500))
    for path in (f"{LIST}{report.pk}/file/", f"{LIST}{row(Status.FAILED).pk}/file/"):
        response = support.get(path, follow=True)
        assert len(list(response.context["messages"])) == 1
    assert not LogEntry.objects.exists()


def test_a_report_is_made_again_by_a_message(support: Client) -> None:
    report = row(Status.FAILED, assessment_id=MARIA_CHECKUP)
    response = support.post(f"{LIST}{report.pk}/generate-again/", follow=True)
    (body,) = queued_reports()
    assert (body["assessment_id"], body["user_id"], body["report_type"]) == (str(MARIA_CHECKUP), str(ANNA), "pdf")
    report.refresh_from_db()
    assert (report.status, report.requested_by, report.error) == (Status.QUEUED, RequestedBy.STAFF, "")
    assert str(report.msg_id) in text(response)
    assert LogEntry.objects.get().object_id == str(report.pk)
    support.post(f"{LIST}{report.pk}/generate-again/")
    assert len(queued_reports()) == 1


def test_what_cannot_be_made_again_says_why(support: Client) -> None:
    for report in (row(assessment_id=ABANDONED), row(assessment_id=ARTYOM_CHECKUP)):
        response = support.post(f"{LIST}{report.pk}/generate-again/", follow=True)
        (message,) = response.context["messages"]
        assert message.level_tag == "error"
    assert queued_reports() == []
    assert not LogEntry.objects.exists()


def test_who_may_only_look_sees_no_content_and_makes_nothing() -> None:
    viewer, report = client_with("view_report"), row(assessment_id=MARIA_CHECKUP)
    page = viewer.get(page_of(report)).content.decode()
    for part in ("preview/", "file/", "generate-again/"):
        assert f"{LIST}{report.pk}/{part}" not in page
    assert viewer.get(f"{LIST}{report.pk}/preview/").status_code == 403
    assert viewer.get(f"{LIST}{report.pk}/file/").status_code == 403
    assert viewer.post(f"{LIST}{report.pk}/generate-again/").status_code == 403
    assert queued_reports() == []


def test_who_may_not_look_sees_nothing() -> None:
    report, nobody = row(), client_with("download_report", "regenerate_report")
    for address in (LIST, page_of(report), f"{LIST}{report.pk}/preview/", f"{LIST}{report.pk}/file/"):
        assert Client().get(address).status_code == 302
        assert nobody.get(address).status_code == 403
    assert nobody.post(f"{LIST}{report.pk}/generate-again/").status_code == 403
    assert queued_reports() == []


def test_a_report_that_does_not_exist_has_no_pages(support: Client) -> None:
    for part in ("preview/", "file/"):
        assert support.get(f"{LIST}{uuid4()}/{part}")["Location"] == LIST
    assert support.post(f"{LIST}{uuid4()}/generate-again/")["Location"] == LIST
    report = row(preview=b"")
    assert support.get(f"{LIST}{report.pk}/generate-again/")["Location"] == page_of(report)
    assert support.get(f"{LIST}{report.pk}/preview/").status_code == 404


def test_pages_load_nothing_from_elsewhere(support: Client) -> None:
    for address in (LIST, page_of(row())):
        assert not re.search(r'(?:src|href)="(?:https?:)?//', support.get(address).content.decode())
