"""Whatever customers write about their families, their reports and mails come, or say readably why not."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from notifications.writing.request import EmailRequest
from reports.making.upkeep import forget_abandoned, settle_stuck_reports
from reports.models import Report, Status
from sandbox.frontend import Tab
from tests.support.checkouts import make_customer
from tests.support.databases import ClonedDatabase
from tests.support.front_ends import ClientApi
from tests.support.odd_rows import ASSESSMENTS, PROFILES, insertion
from tests.support.report_callers import REPORTS, Caller
from tests.support.report_deliveries import attempt, queued_mails

ODD = settings(
    max_examples=2,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
FAMILY = st.tuples(
    st.lists(PROFILES, min_size=3, max_size=3),
    st.lists(ASSESSMENTS, min_size=7, max_size=7),
)
KINDS = ("json", "csv", "json", "pdf")


def write_family(profiles: list[dict[str, Any]], assessments: list[dict[str, Any]]) -> UUID:
    """Somebody writes these rows, with no more rights than a browser has."""
    user_id = make_customer().pk
    tab = Tab(user_id, ClientApi())
    # Examples share a database.
    for row in (*profiles, *assessments):
        row["id"] = uuid4()
    for row in profiles:
        statement, values = insertion("profiles", {**row, "user_id": str(user_id)})
        tab.write(statement, *values)
    for number, row in enumerate(assessments):
        profile = str(profiles[number % len(profiles)]["id"])
        statement, values = insertion("assessments", {**row, "profile_id": profile, "status": None})
        tab.write(statement, *values)
        # As the front end does: what is announced is a change, and no new row.
        tab.write("UPDATE public.assessments SET status = %s WHERE id = %s", row["status"], str(row["id"]))
    return user_id


@pytest.fixture
def staff(database: ClonedDatabase) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    return client


@ODD
@given(FAMILY)
def test_odd_families_get_their_reports_or_a_reason(
    database: ClonedDatabase, staff: Client, family: tuple[list[dict[str, Any]], list[dict[str, Any]]]
) -> None:
    profiles, assessments = family
    caller = Caller(write_family(profiles, assessments))
    for number, row in enumerate(assessments):
        asked = caller.ask(row["id"], report_type=KINDS[number % len(KINDS)])
        assert asked.status_code == (202 if row["status"] == "completed" else 409), asked.content
    for report in Report.objects.filter(status=Status.QUEUED):
        attempt(report.msg_id)
    listed = caller.get(f"{REPORTS}?limit=100")
    reports = json.loads(listed.content, parse_constant=pytest.fail)["results"]
    assert len(reports) == sum(row["status"] == "completed" for row in assessments)
    for report in reports:
        assert report["status"] in (Status.STORED, Status.RETRYING, Status.FAILED)
        assert staff.get(f"/admin/reports/report/{report['id']}/change/").status_code == 200
    assert staff.get("/admin/reports/report/").status_code == 200
    forget_abandoned()
    settle_stuck_reports()
    assert caller.get(f"{REPORTS}?limit=100").json()["results"] == reports


@ODD
@given(FAMILY)
def test_the_mails_about_odd_families_can_all_be_sent(
    database: ClonedDatabase, family: tuple[list[dict[str, Any]], list[dict[str, Any]]]
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.purge_queue('email_queue')")
    profiles, assessments = family
    write_family(profiles, assessments)
    mails = queued_mails()
    assert len(mails) == sum(row["status"] == "completed" for row in assessments)
    for mail in mails:
        assert EmailRequest.parse(mail).template == "checkup_completed"
