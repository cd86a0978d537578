"""What is done about money and messages waits for a fresh code of whoever needs one, in the admin and over HTTP."""

import json
from typing import Any
from urllib.parse import quote_plus

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django import Settings

from bridge.message import LastError, Outcome, Reason
from notifications.models import EmailMessage, Status
from payments.models import Checkout, Refund
from payments.states import ProviderStatus
from staff.second_factor import FRESH_SECONDS
from tests.support.checkouts import make_checkout
from tests.support.databases import ClonedDatabase
from tests.support.email_deliveries import email_queue
from tests.support.second_factors import prove

pytestmark = pytest.mark.usefixtures("broker_url")

QUEUE_PAGE = "/admin/bridge/queueoverview/email_queue/"
FAILED = f"{QUEUE_PAGE}?tab=failures"
MAILS = "/admin/notifications/emailmessage/"
QUESTION = "/admin/second-factor/code/?next="


@pytest.fixture
def paid(seeded_database: ClonedDatabase) -> Checkout:
    return make_checkout(ProviderStatus.SUCCEEDED)


@pytest.fixture
def client(paid: Checkout) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("olga"))
    return client


@pytest.fixture
def device(client: Client) -> TOTPDevice:
    device = TOTPDevice.objects.create(user=User.objects.get())
    prove(client, device, seconds_ago=FRESH_SECONDS + 1)
    return device


@pytest.fixture
def failed(paid: Checkout) -> int:
    queue = email_queue()
    msg_id = queue.send({})
    (message,) = queue.read(limit=1, lease=60)
    queue.finish(message, Outcome.FAILED, reason=Reason.RETRIES_EXHAUSTED, error=LastError("SMTPError", "it broke"))
    return msg_id


def refund_page(paid: Checkout) -> str:
    return f"/admin/payments/payment/{paid.pk}/refund/"


def refund_by_http(client: Client, paid: Checkout) -> Any:
    body = json.dumps({"reason": "asked by telephone"})
    return client.post(f"/api/payments/{paid.pk}/refund", body, content_type="application/json")


def test_a_refund_waits_for_a_code(client: Client, paid: Checkout, device: TOTPDevice) -> None:
    page = refund_page(paid)
    assert client.get(page).headers["Location"].startswith(QUESTION)
    form = {"amount": "100", "reason": "x", "once": "6b3f5a0e-43c5-4d2c-9a0c-3f1f6a0d7c11"}
    assert client.post(page, form).headers["Location"].startswith(QUESTION)
    assert not Refund.objects.exists()
    prove(client, device)
    assert client.get(page).status_code == 200
    assert client.post(page, form).status_code == 302
    assert Refund.objects.count() == 1


def test_a_refund_over_http_waits_for_a_code(client: Client, paid: Checkout, device: TOTPDevice) -> None:
    answer = refund_by_http(client, paid)
    assert (answer.status_code, answer.json()["code"]) == (403, "second_factor_needed")
    assert not Refund.objects.exists()
    prove(client, device)
    assert refund_by_http(client, paid).status_code == 202


def test_a_session_that_gave_no_code_at_all_refunds_nothing(client: Client, paid: Checkout, settings: Settings) -> None:
    settings.STAFF_2FA = "required"
    assert refund_by_http(client, paid).status_code == 403
    assert client.post(refund_page(paid)).headers["Location"].startswith("/admin/login/")
    assert not Refund.objects.exists()


def test_messages_are_looked_at_without_one_and_not_put_back(client: Client, failed: int, device: TOTPDevice) -> None:
    assert client.get(FAILED).status_code == 200
    act = f"{QUEUE_PAGE}act/?what=requeue&msg_id={failed}"
    form = {"key": "6b3f5a0e-43c5-4d2c-9a0c-3f1f6a0d7c11"}
    # The question comes with the form, and leads back to what was marked.
    assert client.get(act).headers["Location"] == QUESTION + quote_plus(act)
    answer = client.post(act, form, follow=True)
    assert answer.redirect_chain[0][0].startswith(QUESTION)
    assert "Ничего не сделано: сначала нужен код второго фактора" in answer.content.decode()
    assert email_queue().counts().ready == 0
    prove(client, device)
    client.post(act, form)
    assert email_queue().counts().ready == 1


@pytest.mark.parametrize("by_list", [True, False])
def test_a_mail_is_sent_again_with_one_alone(client: Client, failed: int, device: TOTPDevice, by_list: bool) -> None:
    """It puts a message back, by another door."""
    mail = EmailMessage.objects.create(
        queue="email_queue",
        msg_id=failed,
        recipient="anna@example.org",
        message_id="<1@example.org>",
        status=Status.FAILED,
        error="it broke",
        reason="retries_exhausted",
        enqueued_at=timezone.now(),
    )
    address = MAILS if by_list else f"{MAILS}{mail.pk}/send-again/"
    form = {"action": "send_selected_again", "_selected_action": [mail.pk]} if by_list else {}
    assert client.post(address, form).headers["Location"] == QUESTION + quote_plus(address)
    assert email_queue().counts().ready == 0
    # The question leads back to where it can be pressed once more.
    assert client.get(address, follow=True).status_code == 200
    prove(client, device)
    client.post(address, form)
    assert email_queue().counts().ready == 1
