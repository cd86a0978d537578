"""What was settled is no to-do: not in a filter, not in a number, not on the overview."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.test import Client

from bridge.daemon.heartbeat import Heartbeat
from bridge.reasons import FailureReason
from notifications.models import EmailMessage
from notifications.models import Status as MailStatus
from payments.models import Checkout, PaymentAttention, ProviderNotification, Refund
from payments.states import Attention, NotificationStatus, ProviderStatus, RefundStatus
from reports.models import Kind, Report
from reports.models import Status as ReportStatus
from staff import attention
from tests.support.checkouts import make_checkout

pytestmark = pytest.mark.usefixtures("seeded_database", "broker_url")

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
MAILS, REPORTS = "/admin/notifications/emailmessage/", "/admin/reports/report/"
PAYMENTS, REFUNDS = "/admin/payments/payment/", "/admin/payments/refund/"
NOTIFICATIONS = "/admin/payments/providernotification/"


@pytest.fixture
def boss(seeded_database: Any) -> Client:
    """Who sees everything; the queues have nothing to say."""
    Heartbeat().beat(published=0, archived=0, waits_for="")
    call_command("install_wakeup", stdout=StringIO())
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    return client


def rows_of(client: Client, address: str, standing: str) -> set[Any]:
    answer = client.get(address, {"standing": standing})
    assert answer.status_code == 200
    return {row.pk for row in answer.context["cl"].result_list}


def lines(client: Client) -> dict[str, str]:
    """The numbers of the home page's lines, by where they lead."""
    page = client.get("/admin/now/").content.decode()
    found = re.findall(r'<a href="([^"]*)">([0-9]+\+?) [^<]*</a>', page.partition('id="home-')[0])
    return {unescape(address): number for address, number in found}


def mail(msg_id: int, status: str = MailStatus.FAILED, **fields: Any) -> EmailMessage:
    usual: dict[str, Any] = {}
    if status == MailStatus.FAILED:
        usual = {"reason": FailureReason.RETRIES_EXHAUSTED, "error": "x"}
    if status == MailStatus.SENT:
        usual = {"sent_at": NOW, "recipient": "anna@example.org", "message_id": f"<{msg_id}>"}
    return EmailMessage.objects.create(
        queue="email_queue", msg_id=msg_id, enqueued_at=NOW, status=status, **{**usual, **fields}
    )


def test_mails_that_were_sent_again_are_told_apart_from_open_ones(boss: Client) -> None:
    left, again, elsewhere = mail(1), mail(2), mail(3, dedupe_key="k")
    mail(4, MailStatus.SENT, requeued_from=2)
    mail(5, MailStatus.SENT, dedupe_key="k")
    mail(6, reason=FailureReason.REFUSED)
    failed_twice = mail(7)
    anew = mail(8, requeued_from=7)
    # Neither mails without a key nor those of another queue replace each other.
    mail(9, MailStatus.SENT)
    EmailMessage.objects.create(queue="old_queue", msg_id=9, enqueued_at=NOW, requeued_from=1)
    assert rows_of(boss, MAILS, "open") == {left.pk, anew.pk}
    assert rows_of(boss, MAILS, "settled") == {again.pk, elsewhere.pk, failed_twice.pk}
    assert lines(boss) == {f"{MAILS}?standing=open": "2"}
    page = boss.get(MAILS).content.decode()
    assert page.count(">не отправлено</span>") == 3
    assert page.count(">заменено повтором</span>") == 3


def test_reports_about_which_nothing_has_to_be_done_are_no_to_do(boss: Client) -> None:
    def report(error_type: str, status: str = ReportStatus.FAILED) -> Report:
        usual = {"reason": FailureReason.PERMANENT_ERROR, "error": "x"} if status == ReportStatus.FAILED else {}
        return Report.objects.create(
            assessment_id=uuid4(),
            user_id=uuid4(),
            kind=Kind.PDF,
            queue="q",
            msg_id=1,
            status=status,
            error_type=error_type,
            **usual,
        )

    left, forged, gone = report("StorageRefused"), report("NotTheOwner"), report("AssessmentMissing")
    report("StorageRefused", ReportStatus.QUEUED)
    assert rows_of(boss, REPORTS, "open") == {left.pk}
    assert rows_of(boss, REPORTS, "settled") == {forged.pk, gone.pk}
    assert lines(boss) == {f"{REPORTS}?standing=open": "1"}


def refund_of(checkout: Checkout, status: str, minutes: int = 0) -> Refund:
    is_known = status not in (RefundStatus.REQUESTED, RefundStatus.REJECTED)
    made = Refund.objects.create(
        payment_id=checkout.pk,
        amount=Decimal(100),
        status=status,
        request_body={},
        external_id=str(uuid4()) if is_known else None,
    )
    Refund.objects.filter(pk=made.pk).update(created_at=NOW + timedelta(minutes=minutes))
    return made


def mark(checkout: Checkout, **fields: Any) -> PaymentAttention:
    return PaymentAttention.objects.create(payment_id=checkout.pk, reason=Attention.REFUND_FAILED, since=NOW, **fields)


def test_a_refund_that_was_made_later_or_dealt_with_is_history(boss: Client) -> None:
    left, later, cleared = (make_checkout(ProviderStatus.SUCCEEDED) for _ in range(3))
    open_one = refund_of(left, RefundStatus.CANCELED)
    refund_of(left, RefundStatus.SUCCEEDED, minutes=-5)
    made_good, by_hand = refund_of(later, RefundStatus.REJECTED), refund_of(cleared, RefundStatus.CANCELED)
    refund_of(later, RefundStatus.PENDING, minutes=5)
    mark(left)
    mark(later)
    mark(cleared, settled_at=NOW)
    assert rows_of(boss, REFUNDS, "open") == {open_one.pk}
    assert rows_of(boss, REFUNDS, "settled") == {made_good.pk, by_hand.pk}
    assert lines(boss) == {f"{REFUNDS}?standing=open": "1", f"{PAYMENTS}?attention=refund_failed": "2"}


def test_marks_are_told_by_what_is_to_be_done_the_gravest_first(boss: Client) -> None:
    checkout, other = make_checkout(ProviderStatus.SUCCEEDED), make_checkout(ProviderStatus.SUCCEEDED)
    mark(checkout)
    for one in (checkout, other):
        PaymentAttention.objects.create(payment_id=one.pk, reason=Attention.RECEIPT_FAILED, since=NOW)
    expected = {f"{PAYMENTS}?attention=refund_failed": "1", f"{PAYMENTS}?attention=receipt_failed": "2"}
    assert list(lines(boss).items()) == list(expected.items())
    page = boss.get("/admin/").content.decode()
    assert "2 платежа: чек не зарегистрирован" in page
    assert "Клиент всё ещё ждёт денег" in page


def test_a_notification_whose_payment_was_checked_since_is_history(boss: Client) -> None:
    def failed(checkout: Checkout | None) -> ProviderNotification:
        return ProviderNotification.objects.create(
            address="185.71.76.1",
            trusted=True,
            event="payment.succeeded",
            body="{}",
            error="x",
            payment_id=checkout.pk if checkout else None,
            status=NotificationStatus.FAILED,
            processed_at=NOW,
        )

    before, after = make_checkout(ProviderStatus.SUCCEEDED), make_checkout(ProviderStatus.SUCCEEDED)
    Checkout.objects.filter(pk=before.pk).update(checked_at=NOW - timedelta(minutes=1))
    Checkout.objects.filter(pk=after.pk).update(checked_at=NOW + timedelta(minutes=1))
    left, settled, nobodys = failed(before), failed(after), failed(None)
    assert rows_of(boss, NOTIFICATIONS, "open") == {left.pk, nobodys.pk}
    assert rows_of(boss, NOTIFICATIONS, "settled") == {settled.pk}
    assert lines(boss) == {f"{NOTIFICATIONS}?standing=open": "2"}


def test_the_overview_says_only_what_somebody_may_see_and_nothing_when_all_is_well(boss: Client) -> None:
    assert lines(boss) == {}
    assert "Всё в порядке: внимания ничего не требует." in boss.get("/admin/").content.decode()
    mail(1)
    mark(make_checkout(ProviderStatus.SUCCEEDED))
    support = User.objects.create(username="support", is_staff=True)
    support.user_permissions.set(Permission.objects.filter(codename="view_emailmessage"))
    client = Client()
    client.force_login(support)
    assert lines(client) == {f"{MAILS}?standing=open": "1"}
    page = client.get("/admin/").content.decode()
    assert f'<a href="{MAILS}?standing=open">1 письмо не отправлено</a>' in page
    assert set(lines(boss)) == {f"{MAILS}?standing=open", f"{PAYMENTS}?attention=refund_failed"}


def test_nothing_is_counted_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "MOST_COUNTED", 2)
    for number in range(1, 6):
        mail(number)
    counted = attention.Counted(EmailMessage.objects.all)
    assert [counted(), counted()] == [3, 3]
    assert attention.some(counted()) == "2+"
