"""A role that does not see every row, or lacks a right: it is named with what mends it, and nothing is concluded."""

import io
import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import pytest
from celery import current_app
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from balansity.start import look_around
from bridge.daemon import runner as runner_module
from bridge.daemon.heartbeat import Heartbeat
from bridge.daemon.publisher import Publisher
from bridge.daemon.runner import Runner
from bridge.pgmq import pgmq_queue
from bridge.queues import registry
from bridge.rights import RowsHidden, find_troubles, require_sight
from bridge.tasks import prune_archives
from notifications.models import EmailMessage, Status
from notifications.upkeep import settle_stuck_emails
from reports.making.upkeep import forget_abandoned, remove_leftovers, settle_stuck_reports
from reports.models import Leftover, Report
from reports.models import Status as ReportStatus
from sandbox.storage import StorageServer
from tests.support.databases import ClonedDatabase, DatabaseServer
from tests.support.guests import Guest, django_as
from tests.support.report_callers import Caller
from tests.support.report_deliveries import ANNA, enqueue, make, outcome_of, report_queue
from tests.support.report_deliveries import attempt as attempt_report

MAIL = {"to": "anna@example.org", "template": "welcome", "variables": {}, "created_at": "2026-11-23T11:30:00+00:00"}


@pytest.fixture
def guest(seeded_database: ClonedDatabase, database_server: DatabaseServer) -> Iterator[Guest]:
    """A role with the documented rights, which Django connects as."""
    guest = Guest(seeded_database, database_server)
    guest.arrive()
    try:
        with django_as(guest):
            yield guest
    finally:
        guest.leave()


def run(*command: str) -> str:
    out = io.StringIO()
    call_command(*command, stdout=out, stderr=out)
    return out.getvalue()


def hide(guest: Guest, *queue_tables: str) -> None:
    guest.loses_sight()
    for table in queue_tables:
        guest.admin(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")


def test_the_documented_rights_are_enough(guest: Guest, broker_url: str, storage_server: StorageServer) -> None:
    assert find_troubles() == []
    assert make().status == ReportStatus.STORED
    status = json.loads(run("queue_status", "--json"))
    assert status["troubles"] == status["unread"] == []


def test_each_table_is_named_with_what_mends_it(guest: Guest, broker_url: str) -> None:
    hide(guest, "pgmq.q_email_queue", "pgmq.a_report_generation_queue", "pgmq.meta")
    guest.admin("REVOKE INSERT, UPDATE ON public.appointments FROM {role}")
    guest.admin("REVOKE USAGE ON SCHEMA auth FROM {role}")
    guest.admin("REVOKE USAGE ON SCHEMA auth FROM PUBLIC")
    troubles = {trouble.table: trouble for trouble in find_troubles() if "row security" in trouble.problem}
    assert troubles.keys() == {
        "pgmq.q_email_queue",
        "pgmq.a_report_generation_queue",
        "pgmq.meta",
        *(f"public.{name}" for name in ("users", "profiles", "assessments", "payments", "appointments")),
        *(f"public.{name}" for name in ("package_purchases", "appointment_types", "packages")),
    }
    assert "report_generation_queue" in troubles["public.assessments"].queues
    assert "DISABLE ROW LEVEL SECURITY" in troubles["pgmq.q_email_queue"].remedy
    # Whoever follows our advice must not open families' data to everybody.
    assert not [table for table, why in troubles.items() if "DISABLE" in why.remedy and table.startswith("public")]
    table, check = run("queue_status"), json.loads(run("queue_status", "--json"))
    for trouble in find_troubles():
        assert str(trouble) in table
    assert {entry["table"] for entry in check["troubles"]} > troubles.keys()
    for _ in range(10):
        found = find_troubles()
        if not found:
            break
        # As its addressee would run it, from the line itself.
        guest.admin(found[0].remedy.partition(" or, ")[0])
    assert find_troubles() == []


def test_the_check_fails_while_a_table_is_closed(guest: Guest, broker_url: str) -> None:
    Heartbeat().beat(published=0, archived=0, waits_for="")
    run("queue_status", "--check")
    hide(guest, "pgmq.q_email_queue")
    with pytest.raises(CommandError, match="row security may hide rows"):
        run("queue_status", "--check")


def test_the_list_of_queues_may_be_closed(guest: Guest, broker_url: str) -> None:
    guest.admin("REVOKE ALL ON pgmq.meta FROM {role}")
    status = json.loads(run("queue_status", "--json"))
    # A queue of a package that Supabase has not got yet is told as missing.
    told = {*status["missing"], *(queue["name"] for queue in status["queues"])}
    assert told == {queue.name for queue in registry}
    assert [trouble["table"] for trouble in status["troubles"]] == ["pgmq.meta"]


@pytest.mark.parametrize("closed", ["bridge_keptoutcome", "bridge_bridgeprocess"])
def test_queue_status_survives_what_it_is_asked_about(guest: Guest, broker_url: str, closed: str) -> None:
    hide(guest, f"balansity.{closed}")
    status = json.loads(run("queue_status", "--json"))
    assert f"balansity.{closed}" in {trouble["table"] for trouble in status["troubles"]}
    assert (status["bridges"] is None) == (closed == "bridge_bridgeprocess")
    assert f"balansity.{closed}: row security may hide rows" in run("queue_status")


def test_a_queue_of_others_that_is_closed_is_no_trouble_of_ours(guest: Guest, broker_url: str) -> None:
    guest.admin("REVOKE ALL ON pgmq.q_analytics_queue FROM {role}")
    status = json.loads(run("queue_status", "--json"))
    assert status["unread"] == ["analytics_queue"]
    assert status["troubles"] == []


@pytest.mark.parametrize(
    "closed", ["q_email_queue", "a_email_queue", "users"], ids=["its messages", "its archive", "customers"]
)
def test_a_queue_whose_tables_hide_rows_is_not_touched_until_that_is_mended(
    guest: Guest, broker_url: str, closed: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(runner_module, "INTERVAL_SECONDS", 0)
    caplog.set_level("INFO")
    pgmq_queue("email_queue").send(MAIL)
    with Publisher(current_app) as publisher:
        bridge = Runner([registry.get("email_queue")], publisher)
        bridge.run_once()
        assert bridge.totals.published == 1
        pgmq_queue("email_queue").send(MAIL)
        hide(guest, *([f"pgmq.{closed}"] if closed != "users" else []))
        for _ in range(2):
            bridge.run_once()
        assert bridge.totals.published == 1
        assert caplog.text.count("email_queue: left alone") == 1
        assert closed in caplog.text
        guest.admin("ALTER ROLE {role} BYPASSRLS")
        bridge.run_once()
        assert bridge.totals.published == 2
        assert "email_queue: taken up again" in caplog.text
    assert guest.count("pgmq.q_email_queue") == 2


def test_the_bridge_says_what_it_left_alone(guest: Guest, broker_url: str) -> None:
    hide(guest, "pgmq.q_email_queue")
    out = io.StringIO()
    with pytest.raises(CommandError, match="Not all queues"):
        call_command("bridge_queues", "--once", stdout=out, stderr=out)
    assert "email_queue was left alone: " in out.getvalue()


def test_no_report_is_deleted_as_its_assessment_was_not_seen(
    guest: Guest, storage_server: StorageServer, caplog: pytest.LogCaptureFixture
) -> None:
    report = make()
    guest.loses_sight()
    assert forget_abandoned() == 0
    assert remove_leftovers() == 0
    assert Report.objects.get().storage_key == report.storage_key
    assert not Leftover.objects.exists()
    assert "no report is deleted: public.assessments: row security may hide rows" in caplog.text
    guest.admin("ALTER ROLE {role} BYPASSRLS")
    guest.admin("REVOKE SELECT ON public.profiles FROM {role}")
    assert forget_abandoned() == 0
    assert Report.objects.count() == 1


def test_what_waits_for_a_message_is_not_given_up_as_the_message_was_not_seen(
    guest: Guest, storage_server: StorageServer, caplog: pytest.LogCaptureFixture
) -> None:
    long_ago = timezone.now() - timedelta(days=1)
    report = make()
    Report.objects.filter(pk=report.pk).update(status=ReportStatus.QUEUED, msg_id=enqueue(), updated_at=long_ago)
    msg_id = pgmq_queue("email_queue").send(MAIL)
    EmailMessage.objects.create(
        queue="email_queue", msg_id=msg_id, enqueued_at=timezone.now(), status=Status.SENDING, created_at=long_ago
    )
    EmailMessage.objects.update(updated_at=long_ago)
    hide(guest, "pgmq.q_email_queue", "pgmq.q_report_generation_queue")
    assert settle_stuck_reports() == settle_stuck_emails() == 0
    assert Report.objects.get().status == ReportStatus.QUEUED
    assert EmailMessage.objects.get().status == Status.SENDING
    assert "no report is given up: pgmq.q_report_generation_queue" in caplog.text
    assert "no mail is given up: pgmq.q_email_queue" in caplog.text


def test_an_archive_that_hides_rows_is_left_as_it_is(guest: Guest, caplog: pytest.LogCaptureFixture) -> None:
    hide(guest, "pgmq.a_email_queue")
    prune_archives()
    assert "nothing old is deleted: pgmq.a_email_queue" in caplog.text
    # Nor is it tried in vain.
    assert "could not be pruned" not in caplog.text


def test_a_report_is_repeated_and_not_given_up_while_its_assessment_is_hidden(
    guest: Guest, storage_server: StorageServer
) -> None:
    msg_id = enqueue()
    guest.loses_sight()
    with suppress(Exception):
        attempt_report(msg_id)
    assert report_queue().is_queued(msg_id)
    guest.admin("ALTER ROLE {role} BYPASSRLS")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE pgmq.q_report_generation_queue SET vt = now()")
    attempt_report(msg_id)
    assert outcome_of(msg_id) == ("succeeded", None)


def test_the_api_says_that_it_cannot_tell_and_not_that_nothing_is_there(
    guest: Guest, storage_server: StorageServer, caplog: pytest.LogCaptureFixture
) -> None:
    report = make()
    anna = Caller(ANNA)
    guest.loses_sight()
    answers = [
        anna.ask(),
        anna.get(f"/api/reports/{report.pk}/file"),
        anna.get("/api/payments"),
        anna.get(f"/api/payments/{ANNA}"),
        anna.verify(ANNA),
    ]
    assert [answer.status_code for answer in answers] == [503] * 5
    assert {answer.json()["code"] for answer in answers} == {"service_unavailable"}
    assert 'row-level security policy for table "payments"' in caplog.text
    assert 'row-level security policy for table "assessments"' in caplog.text


def test_nothing_hidden_is_ever_an_empty_answer(guest: Guest) -> None:
    guest.loses_sight()
    for table in ("users", "payments", "assessments"):
        with pytest.raises(Exception, match="row-level security"), connection.cursor() as cursor:
            cursor.execute(f"SELECT 1 FROM public.{table} LIMIT 1")
    with transaction.atomic(), pytest.raises(RowsHidden, match=r"public\.users"):
        require_sight("public.users")


def test_web_and_worker_name_closed_tables_when_they_start(guest: Guest, caplog: pytest.LogCaptureFixture) -> None:
    look_around()
    assert caplog.text == ""
    hide(guest, "pgmq.a_email_queue")
    look_around()
    assert "pgmq.a_email_queue: row security may hide rows" in caplog.text
    assert "public.users: row security may hide rows" in caplog.text


def test_migrate_ends_with_them(guest: Guest) -> None:
    guest.loses_sight()
    assert "public.users: row security may hide rows" in run("migrate")
