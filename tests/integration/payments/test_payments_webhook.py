"""What the webhook stores, queues and answers."""

import json
import logging
import uuid
from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import Client

from bridge.pgmq import pgmq_queue
from payments.models import Checkout, Payment, PaymentEvent, ProviderNotification, Refund
from payments.queue import QUEUE
from payments.states import EventKind, NotificationStatus, PaymentStatus, ProviderStatus, RefundStatus
from tests.support.checkouts import make_checkout, make_payment, queued_checks
from tests.support.webhook_requests import (
    STRANGER,
    URL,
    YOOKASSA,
    assert_nothing_happened,
    assert_problem,
    notification,
    post,
)

pytestmark = pytest.mark.usefixtures("database")


def check_of(checkout: Checkout, action: str = "verify") -> dict[str, str]:
    return {"payment_id": str(checkout.pk), "action": action}


def test_a_notification_is_stored_as_it_came_with_its_check_and_answered_as_yookassa_expects() -> None:
    checkout = make_checkout()
    body = notification(
        "payment.succeeded", checkout.external_id, note="«é»", metadata={"payment_id": str(checkout.pk)}
    )
    response = post(body, headers={"X-Request-ID": "from-yookassa"})
    assert (response.status_code, json.loads(response.content)) == (200, {"received": True})
    row = ProviderNotification.objects.get()
    assert (row.body.encode(), row.event, row.object_id) == (body, "payment.succeeded", checkout.external_id)
    assert (row.address, row.trusted, row.status, row.payment_id) == (YOOKASSA, True, "stored", checkout.pk)
    assert (row.trace_id, row.error, row.processed_at) == ("from-yookassa", "", None)
    assert queued_checks() == [check_of(checkout)]
    assert row.msg_id is not None
    assert pgmq_queue(QUEUE).is_queued(row.msg_id)
    event = PaymentEvent.objects.get()
    assert (event.kind, event.door, event.data["notification"]) == (EventKind.NOTIFIED, "webhook", row.pk)


def test_whatever_it_claims_the_payment_stays_as_it_is_until_the_api_was_asked() -> None:
    checkout = make_checkout()
    before = Payment.objects.filter(pk=checkout.pk).values().get(), Checkout.objects.values().get()
    lie = {"status": "succeeded", "paid": True, "amount": {"value": "0.01", "currency": "RUB"}, "refunded_amount": "x"}
    assert post(notification("payment.succeeded", checkout.external_id, **lie)).status_code == 200
    assert (Payment.objects.filter(pk=checkout.pk).values().get(), Checkout.objects.values().get()) == before


def test_a_refund_is_checked_with_its_payment() -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED)
    assert post(notification("refund.succeeded", "2f-r1", payment_id=checkout.external_id)).status_code == 200
    assert queued_checks() == [check_of(checkout)]


def test_a_notification_that_overtakes_the_answer_to_the_creation_is_found_by_its_metadata() -> None:
    checkout = make_checkout(external_id=None)
    assert (
        post(notification("payment.succeeded", "2f-new", metadata={"payment_id": str(checkout.pk)})).status_code == 200
    )
    assert queued_checks() == [check_of(checkout)]


def test_the_providers_id_decides_against_the_metadata() -> None:
    checkout, other = make_checkout(), make_checkout()
    post(notification("payment.succeeded", checkout.external_id, metadata={"payment_id": str(other.pk)}))
    assert queued_checks() == [check_of(checkout)]


def test_metadata_alone_cannot_point_at_a_payment_that_has_another_id_at_yookassa() -> None:
    victim = make_checkout()
    response = post(notification("payment.succeeded", "2f-forged", metadata={"payment_id": str(victim.pk)}))
    assert response.status_code == 200
    row = ProviderNotification.objects.get()
    assert (row.status, row.payment_id) == (NotificationStatus.IGNORED, None)
    assert "another id" in row.error
    assert queued_checks() == []


def test_a_payment_of_the_system_before_us_is_found_by_the_id_in_supabases_row() -> None:
    payment = make_payment(external_payment_id="2f-old", status=PaymentStatus.PROCESSING)
    post(notification("payment.canceled", "2f-old"))
    assert queued_checks() == [{"payment_id": str(payment.pk), "action": "verify"}]


@pytest.mark.parametrize("event", ["payment.succeeded", "refund.succeeded", "payout.succeeded"])
def test_an_unknown_payment_is_kept_and_not_repeated(event: str, caplog: pytest.LogCaptureFixture) -> None:
    metadata = {"payment_id": str(uuid.uuid4())}
    with caplog.at_level(logging.INFO):
        assert post(notification(event, "2f-nobody", payment_id="2f-none", metadata=metadata)).status_code == 200
    row = ProviderNotification.objects.get()
    assert (row.status, row.payment_id, row.msg_id) == (NotificationStatus.IGNORED, None, None)
    assert row.error
    assert row.processed_at is not None
    assert queued_checks() == []
    assert "2f-nobody" in caplog.text


def test_a_row_that_was_never_started_here_is_not_checked_because_metadata_name_it() -> None:
    payment = make_payment()
    post(notification("payment.succeeded", "2f-x", metadata={"payment_id": str(payment.pk)}))
    assert queued_checks() == []


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ("payment.succeeded", ProviderStatus.SUCCEEDED),
        ("payment.canceled", ProviderStatus.CANCELED),
        ("payment.waiting_for_capture", ProviderStatus.WAITING_FOR_CAPTURE),
        ("payment.waiting_for_capture", ProviderStatus.SUCCEEDED),
    ],
)
def test_repeats_of_what_we_know_are_kept_and_cost_no_check(event: str, status: ProviderStatus) -> None:
    checkout = make_checkout(status)
    for _ in range(10):
        assert post(notification(event, checkout.external_id)).status_code == 200
    rows = ProviderNotification.objects.filter(payment_id=checkout.pk, status=NotificationStatus.IGNORED)
    assert rows.count() == 10
    assert queued_checks() == []


def test_a_known_refund_costs_no_check_and_the_next_one_does() -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED)
    Refund.objects.create(payment_id=checkout.pk, amount=1, status=RefundStatus.SUCCEEDED, external_id="2f-r1")
    post(notification("refund.succeeded", "2f-r1", payment_id=checkout.external_id))
    assert queued_checks() == []
    post(notification("refund.succeeded", "2f-r2", payment_id=checkout.external_id))
    assert queued_checks() == [check_of(checkout)]


def test_a_refund_that_is_on_its_way_or_another_payments_is_no_old_news() -> None:
    checkout, other = make_checkout(ProviderStatus.SUCCEEDED), make_checkout(ProviderStatus.SUCCEEDED)
    Refund.objects.create(payment_id=checkout.pk, amount=1, status=RefundStatus.PENDING, external_id="2f-r1")
    Refund.objects.create(payment_id=other.pk, amount=1, status=RefundStatus.SUCCEEDED, external_id="2f-r2")
    for refund_id in ("2f-r1", "2f-r2"):
        post(notification("refund.succeeded", refund_id, payment_id=checkout.external_id))
    assert queued_checks() == [check_of(checkout)] * 2


def test_news_that_contradict_what_we_know_are_checked() -> None:
    checkout = make_checkout(ProviderStatus.SUCCEEDED)
    post(notification("payment.canceled", checkout.external_id))
    assert queued_checks() == [check_of(checkout)]


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"\xff\xfe", b"{", b'{"type": "notification"}', b"[" * 60_000])
def test_garbage_from_yookassas_address_gets_400_and_leaves_nothing(body: bytes) -> None:
    assert_problem(post(body), 400, "invalid_notification")
    assert_nothing_happened()
    assert not ProviderNotification.objects.exists()


@pytest.mark.parametrize("size", [64 * 1024 + 1, 1024 * 1024, 5 * 1024 * 1024])
def test_a_body_that_is_too_long_is_not_even_read(size: int) -> None:
    assert_problem(post(notification("payment.succeeded", "2f-x", pad="x" * size)), 413, "payload_too_large")
    assert not ProviderNotification.objects.exists()


def test_a_body_up_to_the_limit_is_kept_whole() -> None:
    checkout = make_checkout()
    body = notification("payment.succeeded", checkout.external_id)
    body += b" " * (64 * 1024 - len(body))
    assert post(body).status_code == 200
    assert len(ProviderNotification.objects.get().body) == 64 * 1024


@pytest.mark.parametrize("method", ["get", "put", "delete", "patch"])
def test_only_post_is_answered(method: str) -> None:
    response = getattr(Client(REMOTE_ADDR=YOOKASSA), method)(URL)
    assert response.status_code == 405
    assert response["Allow"] == "POST"


def test_no_csrf_token_is_asked_for() -> None:
    client = Client(enforce_csrf_checks=True, REMOTE_ADDR=YOOKASSA)
    body = notification("payment.succeeded", make_checkout().external_id)
    assert client.post(URL, body, content_type="application/json").status_code == 200


@pytest.fixture
def _read_only() -> Iterator[None]:
    """Postgres answers and writes nothing, as after a failover."""
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only TO on")
    yield
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only TO off")


def test_what_cannot_be_stored_gets_503_so_that_yookassa_repeats_it(request: pytest.FixtureRequest) -> None:
    checkout = make_checkout()
    request.getfixturevalue("_read_only")
    response = post(notification("payment.succeeded", checkout.external_id))
    assert_problem(response, 503, "not_stored")
    assert int(response["Retry-After"]) > 0
    assert "read-only" not in response.content.decode()
    assert_nothing_happened()


def test_a_stranger_is_refused_while_nothing_can_be_stored(request: pytest.FixtureRequest) -> None:
    request.getfixturevalue("_read_only")
    assert_problem(post(notification("payment.succeeded", "2f-x"), sender=STRANGER), 403, "sender_not_allowed")


def test_a_notification_is_not_stored_without_its_check() -> None:
    checkout = make_checkout()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.drop_queue(%s)", [QUEUE])
    assert_problem(post(notification("payment.succeeded", checkout.external_id)), 503, "not_stored")
    assert not ProviderNotification.objects.exists()
    assert not PaymentEvent.objects.exists()
