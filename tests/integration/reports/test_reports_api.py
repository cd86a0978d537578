"""Reports over HTTP: the owner's, by token or by the link of the mail, and nobody else's."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.core.signing import TimestampSigner
from django.utils import timezone
from freezegun import freeze_time

from reports.models import Kind, Report
from reports.storage.links import make_file_url
from sandbox.storage import Fault, FaultKind, StorageServer
from tests.support.report_callers import REPORTS, Caller, content_of
from tests.support.report_deliveries import (
    AMINA_IN_PROGRESS,
    ANNA,
    ARTYOM_CHECKUP,
    IGOR,
    LEYLA,
    MARIA_CHECKUP,
    NOWHERE,
    delete_assessment,
    give_away,
    make,
    queued_reports,
)

pytestmark = pytest.mark.usefixtures("seeded_database", "broker_url", "storage_server")


def link_of(report: Report) -> str:
    parts = urlsplit(make_file_url(report.pk))
    return f"{parts.path}?{parts.query}"


def test_the_owner_sees_the_report_and_gets_its_document(anna: Caller, storage_server: StorageServer) -> None:
    report = make()
    (listed,) = anna.get(REPORTS).json()["results"]
    assert listed == anna.get(f"{REPORTS}/{report.pk}").json()
    assert listed["id"] == str(report.pk)
    assert (listed["assessment_id"], listed["report_type"]) == (str(MARIA_CHECKUP), "pdf")
    assert (listed["status"], listed["reason"], listed["size"], listed["pages"]) == (
        *("stored", None, report.size, report.pages),
    )
    assert listed["file_url"] == f"{settings.API_BASE_URL}{REPORTS}/{report.pk}/file"
    answer = anna.get(urlsplit(listed["file_url"]).path)
    assert content_of(answer) == storage_server.store.get("reports", report.storage_key).content
    assert answer["Content-Type"] == "application/pdf"
    assert answer["Content-Length"] == str(report.size)
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Cache-Control"] == "private, no-store"


def test_nothing_of_the_inside_is_shown(anna: Caller) -> None:
    make()
    shown = anna.get(REPORTS).content.decode()
    for secret in ("storage_key", "msg_id", "trace_id", "sha256", "user_id", "error"):
        assert secret not in shown


def test_the_file_has_a_russian_name_as_rfc_6266_wants_it(anna: Caller) -> None:
    report = make(kind="csv")
    disposition = anna.get(f"{REPORTS}/{report.pk}/file")["Content-Disposition"]
    assert disposition.startswith("attachment; filename*=utf-8''")
    assert disposition.isascii()
    name = unquote(disposition.partition("''")[2])
    assert name == f"Отчёт Little Otter от {timezone.localtime():%d.%m.%Y}.csv"


@pytest.mark.parametrize("accept", ["application/pdf", "text/csv", "*/*", "nonsense"])
def test_the_file_comes_whatever_the_caller_accepts(anna: Caller, accept: str) -> None:
    report = make(kind="json")
    answer = anna.get(f"{REPORTS}/{report.pk}/file", Accept=accept)
    assert json.loads(content_of(answer))
    assert answer["Content-Type"] == "application/json"


def test_somebody_elses_report_is_answered_like_none_at_all(igor: Caller) -> None:
    report = make(kind="json")
    nothing = uuid4()
    for path in ("", "/file"):
        theirs, none = igor.get(f"{REPORTS}/{report.pk}{path}"), igor.get(f"{REPORTS}/{nothing}{path}")
        assert theirs.status_code == none.status_code == 404
        assert _without_id(theirs) == _without_id(none)
    assert igor.get(REPORTS).json()["results"] == []


def _without_id(answer: Any) -> dict[str, Any]:
    return {name: value for name, value in answer.json().items() if name != "request_id"}


def test_what_others_claim_to_be_somebodys_is_not_listed(anna: Caller) -> None:
    make(NOWHERE, ANNA)
    make(ARTYOM_CHECKUP, ANNA)
    assert Report.objects.filter(user_id=ANNA).count() == 2
    assert anna.get(REPORTS).json()["results"] == []
    report = Report.objects.filter(user_id=ANNA)[0]
    assert anna.get(f"{REPORTS}/{report.pk}").status_code == 404


def test_without_a_token_there_is_nothing() -> None:
    report = make(kind="json")
    nobody = Caller(None)
    for path in (REPORTS, f"{REPORTS}/{report.pk}", f"{REPORTS}/{report.pk}/file"):
        answer = nobody.get(path)
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"] == "Bearer"
        assert answer.json()["error"]
    assert nobody.ask().status_code == 401
    assert queued_reports() == []


def test_the_link_of_the_mail_opens_its_report_without_signing_in(storage_server: StorageServer) -> None:
    report = make(kind="json")
    stored = storage_server.store.get("reports", report.storage_key).content
    assert content_of(Caller(None).get(link_of(report))) == stored
    # A browser that is signed in as somebody else holds the link all the same.
    assert content_of(Caller(IGOR).get(link_of(report))) == stored


@pytest.mark.parametrize("lost", [lambda: delete_assessment(MARIA_CHECKUP), lambda: give_away(MARIA_CHECKUP, IGOR)])
def test_what_is_the_callers_no_more_is_not_opened_by_token_or_link(lost: Callable[[], None], anna: Caller) -> None:
    report = make(kind="json")
    lost()
    assert anna.get(f"{REPORTS}/{report.pk}/file").status_code == 404
    assert Caller(None).get(link_of(report)).status_code == 404


def test_a_link_expires() -> None:
    report = make(kind="json")
    link = link_of(report)
    life = timedelta(days=settings.REPORT_LINK_DAYS)
    with freeze_time(timezone.now() + life - timedelta(minutes=5)):
        assert Caller(None).get(link).status_code == 200
    with freeze_time(timezone.now() + life + timedelta(minutes=5)):
        answer = Caller(None).get(link)
    assert answer.status_code == 410
    assert answer.json()["code"] == "link_expired"


def test_a_link_opens_no_other_report_and_cannot_be_made_up(anna: Caller) -> None:
    report, other = make(kind="json"), make(ARTYOM_CHECKUP, IGOR, kind="json")
    token = link_of(report).partition("token=")[2]
    foreign = TimestampSigner(salt="password-reset").sign(str(report.pk)).partition(":")[2]
    for path in (
        f"{REPORTS}/{other.pk}/file?token={token}",
        f"{REPORTS}/{uuid4()}/file?token={token}",
        f"{REPORTS}/{report.pk}/file?token={token[:-1]}",
        f"{REPORTS}/{report.pk}/file?token={foreign}",
        f"{REPORTS}/{report.pk}/file?token=",
        f"{REPORTS}/{report.pk}/file?token=%01",
    ):
        answer = Caller(None).get(path)
        assert answer.status_code == 403
        assert answer.json()["code"] == "link_invalid"
    assert Caller(None).get(f"{REPORTS}/{report.pk}?token={token}").status_code == 401
    assert Caller(None).get(f"{REPORTS}?token={token}").status_code == 401
    # A token in the address is what counts, even beside a sign-in that would do.
    assert anna.get(f"{REPORTS}/{report.pk}/file?token=x").status_code == 403


def test_who_opens_the_link_of_a_mail_in_a_browser_reads_a_page_whatever_became_of_it(
    storage_server: StorageServer,
) -> None:
    report, gone = make(kind="json"), make(ARTYOM_CHECKUP, IGOR, kind="json")
    link, later = link_of(report), timezone.now() + timedelta(days=settings.REPORT_LINK_DAYS, minutes=5)
    nobody, browser = Caller(None), {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    assert nobody.get(link, **browser)["Content-Disposition"].startswith("attachment")
    delete_assessment(ARTYOM_CHECKUP)
    storage_server.faults.add(Fault(FaultKind.STATUS, status=500))
    with freeze_time(later):
        expired = nobody.get(link, **browser)
    found = {
        (410, "Ссылка больше не действует"): expired,
        (403, "Ссылка не открывается"): nobody.get(link[:-1], **browser),
        (401, "Нужно войти"): nobody.get(link.partition("?")[0], **browser),
        (404, "Здесь ничего нет"): nobody.get(link_of(gone), **browser),
        (503, "Сейчас отчёт открыть не получается"): nobody.get(link, **browser),
    }
    # A line that a mail program broke off.
    cut = [nobody.get(link.partition("/file")[0][:-6] + "/file", **browser), nobody.get(link[:-80], **browser)]
    for (status, heading), answer in [*found.items(), *(((404, "Здесь ничего нет"), one) for one in cut)]:
        assert (answer.status_code, answer["Content-Type"]) == (status, "text/html; charset=utf-8")
        assert f"<h1>{heading}</h1>" in answer.content.decode()
        assert "/checkup-history" in answer.content.decode()
        assert str(report.pk) not in answer.content.decode()
        assert "Accept" in answer["Vary"]
    # Whether there ever was such a report is nobody's to learn.
    made_up = nobody.get(f"{REPORTS}/{uuid4()}/file?token={link.partition('token=')[2]}", **browser)
    assert made_up.content == found[403, "Ссылка не открывается"].content


def test_a_report_that_is_on_its_way_asks_for_patience(anna: Caller) -> None:
    report_id = anna.ask().json()["id"]
    answer = anna.get(f"{REPORTS}/{report_id}/file")
    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (409, "report_not_ready", "5")
    assert anna.get(f"{REPORTS}/{report_id}").json()["file_url"] is None


def test_a_report_that_was_not_made_says_so() -> None:
    report = make(AMINA_IN_PROGRESS, LEYLA)
    leyla = Caller(LEYLA)
    shown = leyla.get(f"{REPORTS}/{report.pk}").json()
    assert (shown["status"], shown["reason"], shown["file_url"]) == ("failed", "permanent_error", None)
    answer = leyla.get(f"{REPORTS}/{report.pk}/file")
    assert answer.status_code == 409
    assert "Retry-After" not in answer


def test_a_storage_that_is_away_is_a_503_and_nothing_of_it_is_told(anna: Caller, storage_server: StorageServer) -> None:
    report = make(kind="json")
    storage_server.faults.add(Fault(FaultKind.STATUS, status=500))
    answer = anna.get(f"{REPORTS}/{report.pk}/file")
    assert (answer.status_code, answer["Retry-After"]) == (503, "30")
    assert "Supabase" not in answer.content.decode()
    storage_server.store.remove("reports", [report.storage_key])
    assert anna.get(f"{REPORTS}/{report.pk}/file").status_code == 503


def test_a_long_list_comes_in_pages_without_a_gap(anna: Caller) -> None:
    made = [
        Report.objects.create(assessment_id=uuid4(), user_id=ANNA, kind=Kind.PDF, is_confirmed=True, msg_id=number).pk
        for number in range(45)
    ]
    seen, path = [], REPORTS
    while path:
        page = anna.get(path).json()
        assert len(page["results"]) <= 20
        seen += [UUID(shown["id"]) for shown in page["results"]]
        following = page["next"]
        path = f"{REPORTS}?{urlsplit(following).query}" if following else ""
    assert seen == made[::-1]


def test_an_address_that_is_no_uuid_is_not_found(anna: Caller) -> None:
    assert anna.get(f"{REPORTS}/1").status_code == 404


@pytest.mark.parametrize("text", ["p=yesterday", "p=2026-11-24", "o=x"])
def test_a_cursor_of_ones_own_is_not_found(anna: Caller, text: str) -> None:
    cursor = base64.b64encode(text.encode()).decode()
    assert anna.get(f"{REPORTS}?cursor={cursor}").status_code == 404
