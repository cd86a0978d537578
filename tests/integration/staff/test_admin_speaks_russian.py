"""No page for staff says something to them in English. What machines noted for the developers stands apart, as code."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client

from bridge.daemon.heartbeat import THE_BROKER, Heartbeat
from bridge.message import LastError, Outcome, Reason
from bridge.models import BridgeProcess, KeptOutcome
from bridge.outcome import describe_error
from bridge.reasons import FailureReason
from notifications.models import EmailMessage
from notifications.models import Status as MailStatus
from payments.ledger.book import record_event
from payments.models import PaymentAttention, ProviderNotification, Refund
from payments.states import Attention, Door, EventKind, NotificationStatus, ProviderStatus, RefundStatus
from payments.yookassa.errors import Rejected, Unavailable
from reports.models import Kind, Report
from reports.models import Status as ReportStatus
from reports.storage.storage import StorageUnavailable
from tests.support.checkouts import make_checkout
from tests.support.email_deliveries import email_queue
from tests.support.payment_pages import NOTIFICATIONS, REFUNDS, page_of

pytestmark = pytest.mark.usefixtures("database")

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
AWAY = Unavailable("no answer within 20 s", True)
REFUSED = Rejected(400, "invalid_request", "amount.value", "The amount does not suit the shop")
_APART = re.compile(r"<(code|pre|script|style|svg)\b.*?</\1>", re.DOTALL)
_SENTENCE = re.compile(r"(?:\b[A-Za-z]+,? ){3}[a-z]+")


@pytest.fixture
def boss() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    return client


def english_on(client: Client, address: str, detail: str) -> list[str]:
    """The English sentences that a page says; `detail` must be there, apart from them."""
    response = client.get(address)
    page = response.content.decode()
    assert (response.status_code, f"<code>{detail}" in page.replace("&#x27;", "'")) == (200, True)
    shown = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " | ", _APART.sub(" ", page)))
    return _SENTENCE.findall(shown)


def test_the_pages_of_a_payment_say_nothing_in_english(boss: Client) -> None:
    note = "the consultation was paid with another payment already"
    checkout = make_checkout(
        ProviderStatus.SUCCEEDED, attention=Attention.NOT_FULFILLED, attention_note=note, attention_since=NOW
    )
    PaymentAttention.objects.get_or_create(
        payment_id=checkout.pk, reason=Attention.NOT_FULFILLED, defaults={"note": note, "since": NOW}
    )
    record_event(checkout.pk, EventKind.ATTENTION, door=Door.QUEUE, reason=Attention.NOT_FULFILLED, note=note)
    record_event(checkout.pk, EventKind.PROVIDER_AWAY, door=Door.API, error=str(AWAY))
    record_event(checkout.pk, EventKind.PROVIDER_REFUSED, door=Door.API, code=REFUSED.code, error=str(REFUSED))
    rejected = Refund.objects.create(
        payment_id=checkout.pk,
        amount=Decimal(100),
        status=RefundStatus.REJECTED,
        request_body={},
        finished_at=NOW,
        error=f"{REFUSED}. {REFUSED.description}",
    )
    usual = {"address": "185.71.76.1", "trusted": True, "event": "payment.succeeded", "body": "{}"}
    failed, odd = (
        ProviderNotification.objects.create(payment_id=checkout.pk, status=status, error=str(AWAY), **usual)
        for status in (NotificationStatus.FAILED, NotificationStatus.IGNORED)
    )
    assert english_on(boss, page_of(checkout.pk), note) == []
    assert english_on(boss, page_of(checkout.pk), str(AWAY)) == []
    assert english_on(boss, f"{REFUNDS}{rejected.pk}/change/", str(REFUSED)) == []
    assert english_on(boss, f"{NOTIFICATIONS}{failed.pk}/change/", str(AWAY)) == []
    assert english_on(boss, f"{NOTIFICATIONS}{odd.pk}/change/", str(AWAY)) == []


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (MailStatus.FAILED, {"reason": FailureReason.RETRIES_EXHAUSTED}),
        (MailStatus.RETRYING, {"next_retry_at": NOW}),
        (MailStatus.DUPLICATE, {}),
    ],
)
def test_the_page_of_a_mail_says_nothing_in_english(boss: Client, status: str, fields: dict[str, Any]) -> None:
    said = "the mail server did not answer within ten seconds"
    row = EmailMessage.objects.create(
        queue="email_queue",
        msg_id=7,
        enqueued_at=NOW,
        status=status,
        error=said,
        error_type="DeliveryDeferred",
        **fields,
    )
    assert english_on(boss, f"/admin/notifications/emailmessage/{row.pk}/change/", said) == []


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (ReportStatus.FAILED, {"reason": FailureReason.RETRIES_EXHAUSTED}),
        (ReportStatus.RETRYING, {"next_retry_at": NOW}),
    ],
)
def test_the_page_of_a_report_says_nothing_in_english(boss: Client, status: str, fields: dict[str, Any]) -> None:
    said = describe_error(StorageUnavailable("Supabase Storage gave an answer that cannot be read"))
    row = Report.objects.create(
        assessment_id=uuid4(),
        user_id=uuid4(),
        kind=Kind.PDF,
        queue="report_generation_queue",
        msg_id=7,
        status=status,
        error=said.message,
        error_type=said.type,
        **fields,
    )
    assert english_on(boss, f"/admin/reports/report/{row.pk}/change/", said.message) == []


def test_the_pages_of_the_queues_say_nothing_in_english(boss: Client, broker_url: str) -> None:
    said, queue = describe_error(AWAY), email_queue()
    queue.send({})
    (message,) = queue.read(limit=1, lease=60)
    queue.finish(message, Outcome.FAILED, reason=Reason.RETRIES_EXHAUSTED, error=LastError(said.type, said.message))
    why = "permission denied for table a_email_queue"
    KeptOutcome.objects.create(queue=queue.name, msg_id=9, enqueued_at=NOW, outcome=Outcome.SUCCEEDED, why=why)
    Heartbeat().beat(published=0, archived=0, waits_for=THE_BROKER)
    queues = "/admin/bridge/queueoverview/"
    assert english_on(boss, queues, why) == []
    for page in (f"{queue.name}/?tab=failures", f"{queue.name}/?tab=archive", f"{queue.name}/{message.msg_id}/"):
        assert english_on(boss, f"{queues}{page}", f"Unavailable: {AWAY}") == []
    process = f"/admin/bridge/bridgeprocess/{BridgeProcess.objects.get().pk}/change/"
    for page in ("/admin/bridge/bridgeprocess/", process):
        assert "брокера (REDIS_URL)" in boss.get(page).content.decode()
