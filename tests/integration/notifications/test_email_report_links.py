"""The link to a report: in the mail, and in no queue, archive or table."""

import json
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from bridge.reasons import FailureReason
from notifications.errors import DeliveryDeferred
from notifications.mail_log import first_attempt
from notifications.models import EmailMessage, Status
from notifications.outgoing import OutgoingEmail, Receipt
from notifications.queue import QUEUE
from notifications.sending.mailer import mailer
from reports.storage.links import make_file_url
from sandbox.mailbox import Mailbox
from sandbox.storage import StorageServer
from tests.support.email_deliveries import attempt, claim, email_queue
from tests.support.report_deliveries import make, queued_mails

pytestmark = pytest.mark.usefixtures("seeded_database", "storage_server")

ANNAS, IGORS = "anna.sokolova@example.org", "igor.kovalev@example.org"
TOKEN = re.compile(r"token=([\w:-]{20,})")


@pytest.fixture(autouse=True)
def _only_customers(settings: Settings) -> Iterator[None]:
    settings.EMAIL_EXTRA_RECIPIENTS = ()
    yield
    mailer.close()


def send(to: str, **variables: Any) -> int:
    body = {"assessment_id": str(uuid4()), "profile_name": "Мария", **variables}
    return email_queue().send({"to": to, "subject": "Отчёт готов", "template": "report_ready", "variables": body})


def queued_message() -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT msg_id FROM pgmq.q_{QUEUE}")
        (found,) = cursor.fetchall()
    return int(found[0])


def everything_stored() -> str:
    """All that anybody can read in the queue, its archive and our own tables."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT (SELECT json_agg(q)::text FROM pgmq.q_{QUEUE} AS q),"
            f" (SELECT json_agg(a)::text FROM pgmq.a_{QUEUE} AS a),"
            " (SELECT json_agg(e)::text FROM notifications_emailmessage AS e),"
            " (SELECT json_agg(r)::text FROM reports_report AS r)"
        )
        return json.dumps(cursor.fetchone())


def open_link(text: str) -> Any:
    link = re.search(r"http[^\s\"]+/file\?token=[^\s\"]+", text)
    assert link is not None
    return Client().get(link[0].partition("://")[2].partition("/")[2].join(["/", ""]))


def test_the_mail_opens_the_report_and_nothing_that_is_stored_does(
    mailbox: Mailbox, storage_server: StorageServer
) -> None:
    report = make()
    (body,) = queued_mails()
    assert body["variables"]["report_id"] == str(report.pk)
    assert "token" not in everything_stored()
    row = attempt(queued_message())
    (mail,) = mailbox.messages
    assert row.status == Status.SENT
    for part in (mail.text, mail.html.replace("&amp;", "&")):
        assert open_link(part).status_code == 200
    assert TOKEN.search(everything_stored()) is None
    assert f"/api/reports/{report.pk}/file?token=***" in row.text_body
    assert f"/api/reports/{report.pk}/file?token=***" in row.html_body


def test_a_repeat_carries_the_very_same_text_and_a_new_message_a_new_link(
    mailbox: Mailbox, storage_server: StorageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    make()
    msg_id, sent, clock = queued_message(), [], time.time

    def fail(email: OutgoingEmail) -> Receipt:
        sent.append(email)
        raise DeliveryDeferred("not now")

    with monkeypatch.context() as patched:
        patched.setattr(mailer, "send", fail)
        attempt(msg_id)
        # Signatures count in seconds.
        patched.setattr("django.core.signing.time.time", lambda: clock() + 100)
        attempt(msg_id)
    first, second = sent
    assert "token=" in first.text
    assert first == second
    assert attempt(msg_id).message_id == first.message_id
    (mail,) = mailbox.messages
    assert TOKEN.findall(mail.text) == TOKEN.findall(first.text)


def test_a_history_that_a_sender_made_up_makes_no_link_that_lasts(storage_server: StorageServer) -> None:
    report = make()
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE pgmq.q_{QUEUE} SET headers = jsonb_build_object('bridge', jsonb_build_object("
            "'first_attempt_at', '2200-01-01T00:00:00+00:00'))"
        )
    message = claim(queued_message())
    assert first_attempt(message) == message.enqueued_at
    assert report.pk


def test_an_id_that_somebody_read_in_the_queue_opens_nothing_for_them(
    mailbox: Mailbox, storage_server: StorageServer
) -> None:
    report = make()
    row = attempt(send(IGORS, report_id=str(report.pk)))
    assert (row.status, row.reason) == (Status.FAILED, FailureReason.REFUSED)
    assert row.error == f"report {report.pk} is not of the client with this address"
    link = make_file_url(report.pk)
    assert attempt(send(IGORS, report_url=link)).reason == FailureReason.REFUSED
    assert mailbox.attempts == []


def test_a_report_that_is_gone_is_not_announced(mailbox: Mailbox) -> None:
    row = attempt(send(ANNAS, report_id=str(uuid4())))
    assert (row.status, row.reason) == (Status.FAILED, FailureReason.PERMANENT_ERROR)
    assert "there is no document of report" in row.error


def test_a_message_of_the_old_kind_still_opens_the_report(mailbox: Mailbox, storage_server: StorageServer) -> None:
    report = make()
    old = make_file_url(report.pk, at=timezone.now() - timedelta(days=365))
    row = attempt(send(ANNAS, report_url=old))
    (mail,) = mailbox.messages
    assert row.status == Status.SENT
    # Made anew, so it works however long the message waited.
    assert open_link(mail.text).status_code == 200
    assert "token=***" in row.text_body


def test_a_signed_object_of_the_storage_is_masked_in_the_log(mailbox: Mailbox, settings: Settings) -> None:
    settings.EMAIL_LINK_HOSTS = ("abc.supabase.example",)
    link = "https://abc.supabase.example/storage/v1/object/sign/reports/a/b.pdf?token=eyJhbGciOi.s3-cr_et"
    row = attempt(send(ANNAS, report_url=link))
    (mail,) = mailbox.messages
    assert link in mail.text
    assert "s3-cr_et" not in row.text_body + row.html_body


def test_links_of_mails_from_before_are_masked_by_the_migration() -> None:
    link = "https://api.example.org/api/reports/1/file?v=1&token=1vN:s3-cr_et"
    email = EmailMessage.objects.create(
        queue=QUEUE,
        msg_id=1,
        enqueued_at=timezone.now(),
        html_body=f'<a href="{link.replace("&", "&amp;")}">Отчёт</a>',
        text_body=f"{link}\nДальше",
    )
    with connection.cursor() as cursor:
        cursor.execute(import_module("notifications.migrations.0003_mask_stored_links").MASK)
    email.refresh_from_db()
    assert email.html_body == '<a href="https://api.example.org/api/reports/1/file?v=1&amp;token=***">Отчёт</a>'
    assert email.text_body == "https://api.example.org/api/reports/1/file?v=1&token=***\nДальше"
