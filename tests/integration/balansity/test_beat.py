"""Each entry of beat's schedule, called as beat does: by its name and with its arguments, and done when it has ended.

A name that no task has, a task that does nothing and an entry without a test of its effect all end here.
"""

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from celery import current_app
from celery.beat import ScheduleEntry
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection
from django.utils import timezone
from freezegun import freeze_time
from pytest_django import Settings

from balansity.models import Incident, LoginAttempt
from bridge import holds
from bridge import hung as bridge_hung
from bridge.counted import counted
from bridge.daemon import listener as listening
from bridge.daemon.listener import Listener
from bridge.message import Outcome
from bridge.models import (
    BridgeProcess,
    CountedRows,
    FailedMessage,
    KeptOutcome,
    OperatorAction,
    QueueHold,
    RolledHour,
    RolledTotal,
)
from bridge.pgmq import PgmqQueue, pgmq_queue
from bridge.queues import registry
from notifications.models import EmailMessage, StaffNotice
from notifications.models import Status as EmailStatus
from notifications.queue import QUEUE as EMAIL_QUEUE
from payments.checking.sync import sync_payment
from payments.ledger.marks import open_marks
from payments.models import Appointment, Checkout, Fulfilment, IdempotencyKey, ProviderNotification
from payments.states import Attention, Door, OrderKind, ProviderStatus
from payments.webhook.notice import Notice
from payments.webhook.store import store_notification
from reports.making.asking import request_report
from reports.models import Kind, Leftover, Report, RequestedBy
from reports.models import Status as ReportStatus
from sandbox.storage import StorageServer
from sandbox.yookassa import YooKassaServer
from tests.integration.notifications.test_email_upkeep import stuck_row
from tests.support.checkouts import delete_row, flag, make_checkout, purge_checks, queued_checks
from tests.support.databases import ClonedDatabase
from tests.support.hanging import await_its_end, fill_until_it_hangs
from tests.support.payment_calls import make_catalogue, tomorrow
from tests.support.payment_deliveries import shop_at_yookassa, start_payment
from tests.support.report_deliveries import (
    ANNA,
    ARTYOM_CHECKUP,
    IGOR,
    MARIA_CHECKUP,
    delete_assessment,
    delete_message,
    make,
)
from tests.support.webhook_requests import YOOKASSA, notification

Effect = Callable[["Stage"], Iterator[None]]
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass
class Stage:
    """Our database, and beside it what an effect asks for."""

    settings: Settings
    database: ClonedDatabase
    _request: pytest.FixtureRequest

    def shop(self) -> YooKassaServer:
        """Payments are made there from now on."""
        found: YooKassaServer = self._request.getfixturevalue("shop")
        return found

    def storage(self) -> StorageServer:
        """Reports about the sample families are kept there from now on."""
        self.database.fill_with_samples()
        found: StorageServer = self._request.getfixturevalue("storage_server")
        return found


@pytest.fixture
def stage(database: ClonedDatabase, settings: Settings, request: pytest.FixtureRequest) -> Stage:
    return Stage(settings, database, request)


@pytest.fixture
def shop(settings: Settings) -> Iterator[YooKassaServer]:
    with shop_at_yookassa(settings) as shop:
        yield shop


def run(name: str) -> None:
    """Call the entry as beat's schedule has it, in this process."""
    current_app.loader.import_default_modules()
    described: Any = settings.CELERY_BEAT_SCHEDULE[name]
    entry: Any = ScheduleEntry(name=name, app=current_app, **described)
    current_app.tasks[entry.task].apply(args=entry.args, kwargs=entry.kwargs, throw=True)


def archive_one(queue: PgmqQueue, archived_at: datetime) -> int:
    msg_id = queue.send({})
    (delivery,) = queue.read(limit=1, lease=60)
    assert queue.finish(delivery, Outcome.SUCCEEDED)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE pgmq.a_{queue.name} SET archived_at = %s WHERE msg_id = %s", [archived_at, msg_id])
    return msg_id


# Each prepares what its entry is to work on, gives way to it, and looks at what became of that.


def archive_retention(stage: Stage) -> Iterator[None]:
    limit = timezone.now() - timedelta(days=settings.BRIDGE_ARCHIVE_DAYS)
    archived = {
        queue.name: [archive_one(pgmq_queue(queue.name), limit + timedelta(hours=hours)) for hours in (-1, 1)]
        for queue in registry
    }
    yield
    for name, (old, young) in archived.items():
        queue = pgmq_queue(name)
        assert queue.archived_history(old) is None, name
        assert queue.archived_history(young) is not None, name


def roll_up(stage: Stage) -> Iterator[None]:
    archive_one(pgmq_queue(EMAIL_QUEUE), timezone.now())
    yield
    assert [row.count for row in RolledTotal.objects.filter(queue=EMAIL_QUEUE)] == [1]


def roll_up_tidy(stage: Stage) -> Iterator[None]:
    for number, hour in enumerate((LONG_AGO, timezone.now())):
        RolledHour.objects.create(queue=EMAIL_QUEUE, hour=hour, outcome="other", count=number, waiting=[], running=[])
    FailedMessage.objects.create(queue=EMAIL_QUEUE, msg_id=1, archived_at=LONG_AGO)
    yield
    assert [row.count for row in RolledHour.objects.all()] == [1]
    assert not FailedMessage.objects.exists()


def operators_acts(stage: Stage) -> Iterator[None]:
    with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5) as client:
        client.delete(settings.CELERY_TASK_DEFAULT_QUEUE)
        forsaken = OperatorAction.objects.create(
            actor_kind="staff", actor="elena", action="requeue", queue=EMAIL_QUEUE, state=OperatorAction.HANDED_OVER
        )
        yield
        tasks = [json.loads(task)["headers"] for task in client.lrange(settings.CELERY_TASK_DEFAULT_QUEUE, 0, -1)]
        client.delete(settings.CELERY_TASK_DEFAULT_QUEUE)
    assert [task["argsrepr"] for task in tasks if task["task"] == "bridge.carry_out_act"] == [f"({forsaken.pk},)"]


def row_counts(stage: Stage) -> Iterator[None]:
    # Nobody counts for a page that there is not.
    stage.settings.METRICS_TOKEN = "of-a-monitor-" * 3
    CountedRows.objects.create(what="mails", state="sending", count=7, at=LONG_AGO)
    EmailMessage.objects.create(queue=EMAIL_QUEUE, msg_id=1, enqueued_at=LONG_AGO)
    yield
    found = counted("mails")
    assert found is not None
    assert found.by_state == {"sending": 1}
    assert found.at > LONG_AGO


def bridge_processes(stage: Stage) -> Iterator[None]:
    now = timezone.now()
    for name, seen_at in (("old", now - timedelta(hours=25)), ("young", now - timedelta(hours=23))):
        BridgeProcess.objects.create(name=name, started_at=LONG_AGO, seen_at=seen_at)
    queued = pgmq_queue(EMAIL_QUEUE).send({})
    for msg_id in (queued, queued + 1000):
        KeptOutcome.objects.create(queue=EMAIL_QUEUE, msg_id=msg_id, enqueued_at=now, outcome="succeeded", why="x")
    holds.place(EMAIL_QUEUE, holds.PAUSE, by="anna", why="", until=now - timedelta(hours=25))
    yield
    assert [process.name for process in BridgeProcess.objects.all()] == ["young"]
    assert not QueueHold.objects.exists()
    assert [kept.msg_id for kept in KeptOutcome.objects.all()] == [queued]


def hung_listeners(stage: Stage) -> Iterator[None]:
    # As over a Unix socket, where nothing else ends it.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listening, "HUNG_SECONDS", 0)
        patch.setattr(bridge_hung, "BETWEEN_LOOKS_SECONDS", 0.3)
        hung, awake = Listener([]), Listener([])
        assert hung.connect()
        assert awake.connect()
        assert hung._connection
        with taking_all(awake):
            fill_until_it_hangs(stage.database.url, hung._connection.info.backend_pid)
            yield
            await_its_end(stage.database.url, hung._connection.info.backend_pid)
        # The other one was let alone.
        assert awake.fileno() is not None
    for listener in (hung, awake):
        listener.close()


@contextmanager
def taking_all(listener: Listener) -> Iterator[None]:
    """Read what a listener hears, as a bridge that lives does."""
    ended = threading.Event()

    def take() -> None:
        while not ended.is_set():
            listener.heard()

    thread = threading.Thread(target=take)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def stuck_sending(stage: Stage) -> Iterator[None]:
    row = stuck_row(12345)
    yield
    row.refresh_from_db()
    assert row.status == EmailStatus.FAILED


def email_bodies(stage: Stage) -> Iterator[None]:
    sent = stuck_row(1, status=EmailStatus.SENT, sent_at=LONG_AGO, html_body="<p>", text_body="t")
    refused = stuck_row(2, status=EmailStatus.FAILED, reason="refused", error="x")
    EmailMessage.objects.update(created_at=LONG_AGO)
    for key, at in (("old", LONG_AGO), ("young", timezone.now())):
        StaffNotice.objects.create(kind="digest", key=key, created_at=at)
    yield
    assert [notice.key for notice in StaffNotice.objects.all()] == ["young"]
    sent.refresh_from_db()
    assert (sent.html_body, sent.text_body) == ("", "")
    assert not EmailMessage.objects.filter(pk=refused.pk).exists()


def old_logins(stage: Stage) -> Iterator[None]:
    now = timezone.now()
    for name, at in (("old", now - timedelta(days=91)), ("young", now - timedelta(days=89))):
        attempt = LoginAttempt.objects.create(username=name)
        LoginAttempt.objects.filter(pk=attempt.pk).update(at=at)
    for key, ends in (("over", now - timedelta(hours=1)), ("open", now + timedelta(hours=1))):
        Session.objects.create(session_key=key, session_data="", expire_date=ends)
    for key, told in (("old", LONG_AGO), ("young", now), ("goes on", None)):
        times = {"began_at": LONG_AGO, "begin_told_at": LONG_AGO, "ended_at": told, "end_told_at": told}
        Incident.objects.create(detector="x", kind="x", key=key, what="x", **times)
    yield
    assert set(Incident.objects.values_list("key", flat=True)) == {"young", "goes on"}
    assert list(LoginAttempt.objects.values_list("username", flat=True)) == ["young"]
    assert list(Session.objects.values_list("session_key", flat=True)) == ["open"]


def staff_incidents(stage: Stage) -> Iterator[None]:
    stage.settings.STAFF_DIGEST_TO = ("duty@example.org",)
    flag(make_checkout(ProviderStatus.SUCCEEDED), Attention.SLOT_TAKEN)
    yield
    assert [notice.kind for notice in StaffNotice.objects.all()] == ["incidents"]
    assert Incident.objects.get(kind="money").begin_told_at is not None


def staff_digest(stage: Stage) -> Iterator[None]:
    stage.settings.STAFF_DIGEST_TO = ("duty@example.org",)
    flag(make_checkout(ProviderStatus.SUCCEEDED), Attention.SLOT_TAKEN)
    # Eight in Moscow.
    with freeze_time("2026-11-27 05:00:00"):
        yield
    assert [(notice.kind, notice.key) for notice in StaffNotice.objects.all()] == [("digest", "2026-11-27")]


def payment_checks(stage: Stage) -> Iterator[None]:
    due, _ = make_checkout(), make_checkout()
    Checkout.objects.filter(pk=due.pk).update(next_check_at=timezone.now() - timedelta(seconds=1))
    yield
    assert queued_checks() == [{"payment_id": str(due.pk), "action": "update_status"}]


def held_consultations(stage: Stage) -> Iterator[None]:
    stage.settings.APPOINTMENT_WAIT_SECONDS = 90
    shop, kind = stage.shop(), make_catalogue().consultation
    checkout = start_payment(kind=OrderKind.APPOINTMENT, appointment_type_id=kind.pk, scheduled_at=tomorrow())
    shop.succeed(str(checkout.external_id))
    sync_payment(checkout.pk, door=Door.QUEUE)
    assert not Fulfilment.objects.exists()
    Checkout.objects.update(give_at=timezone.now())
    yield
    assert Fulfilment.objects.get(pk=checkout.pk).appointment_id == Appointment.objects.get(payment_id=checkout.pk).pk


def lost_notifications(stage: Stage) -> Iterator[None]:
    checkout = make_checkout()
    text = notification("payment.succeeded", checkout.external_id).decode()
    store_notification(Notice.parse(text), address=YOOKASSA, body=text)
    ProviderNotification.objects.update(received_at=LONG_AGO)
    purge_checks()
    yield
    assert queued_checks() == [{"payment_id": str(checkout.pk), "action": "update_status"}]


def recent_payments(stage: Stage) -> Iterator[None]:
    return paid_at_yookassa(stage, found=timedelta(hours=2), left=timedelta(hours=4))


def payments_of_the_week(stage: Stage) -> Iterator[None]:
    return paid_at_yookassa(stage, found=timedelta(hours=167), left=timedelta(hours=169))


def paid_at_yookassa(stage: Stage, *, found: timedelta, left: timedelta) -> Iterator[None]:
    """Payments of these ages, whose notification never came."""
    shop, paid = stage.shop(), {}
    for age in (found, left):
        checkout = start_payment()
        shop.succeed(str(checkout.external_id))
        shop.shop._payment(str(checkout.external_id)).created_at -= age
        paid[age] = checkout
    yield
    assert queued_checks() == [{"payment_id": str(paid[found].pk), "action": "update_status"}]


def idempotency_keys(stage: Stage) -> Iterator[None]:
    now = timezone.now()
    for key, age in (("old", timedelta(hours=49)), ("young", timedelta(hours=47))):
        row = IdempotencyKey.objects.create(user_id=uuid.uuid4(), key=key, fingerprint="x")
        IdempotencyKey.objects.filter(pk=row.pk).update(created_at=now - age)
    yield
    assert [row.key for row in IdempotencyKey.objects.all()] == ["young"]


def paid_but_unfulfilled(stage: Stage) -> Iterator[None]:
    captured_at = timezone.now() - timedelta(hours=1)
    nothing, gone = (make_checkout(ProviderStatus.SUCCEEDED, captured_at=captured_at) for _ in range(2))
    delete_row(gone)
    yield
    assert [mark.reason for mark in open_marks(nothing.pk)] == [Attention.NOT_FULFILLED]
    assert [mark.reason for mark in open_marks(gone.pk)] == [Attention.ROW_DELETED]


def report_leftovers(stage: Stage) -> Iterator[None]:
    storage, report = stage.storage(), make()
    waits = Leftover.objects.create(key="a/b/waits.pdf", due_at=timezone.now() + timedelta(hours=1))
    Leftover.objects.create(key=report.storage_key, due_at=LONG_AGO)
    yield
    assert storage.object_keys() == []
    assert list(Leftover.objects.all()) == [waits]


def abandoned_reports(stage: Stage) -> Iterator[None]:
    stage.storage()
    make()
    kept = make(ARTYOM_CHECKUP, IGOR)
    delete_assessment(MARIA_CHECKUP)
    yield
    assert list(Report.objects.all()) == [kept]


def stuck_reports(stage: Stage) -> Iterator[None]:
    stage.storage()
    report = request_report(assessment_id=MARIA_CHECKUP, user_id=ANNA, kind=Kind.PDF, requested_by=RequestedBy.OWNER)
    delete_message(report.msg_id)
    Report.objects.update(updated_at=LONG_AGO)
    yield
    report.refresh_from_db()
    assert report.status == ReportStatus.FAILED


EFFECTS: dict[str, Effect] = {
    "archive-retention": archive_retention,
    "bridge-processes": bridge_processes,
    "hung-listeners": hung_listeners,
    "stuck-sending": stuck_sending,
    "email-bodies": email_bodies,
    "old-logins": old_logins,
    "operators-acts": operators_acts,
    "roll-up": roll_up,
    "row-counts": row_counts,
    "roll-up-tidy": roll_up_tidy,
    "staff-incidents": staff_incidents,
    "staff-digest": staff_digest,
    "payment-checks": payment_checks,
    "held-consultations": held_consultations,
    "lost-notifications": lost_notifications,
    "recent-payments": recent_payments,
    "payments-of-the-week": payments_of_the_week,
    "idempotency-keys": idempotency_keys,
    "paid-but-unfulfilled": paid_but_unfulfilled,
    "report-leftovers": report_leftovers,
    "abandoned-reports": abandoned_reports,
    "stuck-reports": stuck_reports,
}


@pytest.mark.parametrize("name", settings.CELERY_BEAT_SCHEDULE)
def test_each_entry_of_the_schedule_does_its_work(name: str, stage: Stage) -> None:
    assert name in EFFECTS, f"CELERY_BEAT_SCHEDULE has {name}, and no test says what it is to do"
    effect = contextmanager(EFFECTS[name])
    with effect(stage):
        run(name)


def test_no_effect_is_left_of_an_entry_that_is_gone() -> None:
    assert {*EFFECTS} == {*settings.CELERY_BEAT_SCHEDULE}
