"""Whose notifications the webhook takes, behind which proxies."""

from datetime import timedelta
from ipaddress import ip_network

import pytest
from django.utils import timezone
from pytest_django import Settings

from payments.models import ProviderNotification
from payments.states import NotificationStatus
from payments.webhook import store
from payments.webhook import view as webhook
from payments.webhook.sender import MOST_LOGGED_AN_HOUR, MOST_STORED_AN_HOUR
from tests.support.checkouts import make_checkout, queued_checks
from tests.support.webhook_requests import (
    STRANGER,
    YOOKASSA,
    assert_nothing_happened,
    assert_problem,
    notification,
    post,
)

pytestmark = pytest.mark.usefixtures("database")


@pytest.mark.parametrize("sender", [STRANGER, "127.0.0.2", "185.71.76.32", "::1", "2a02:5181::1"])
def test_a_stranger_gets_403_and_moves_nothing(
    sender: str, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.YUKASSA_NOTIFICATION_NETWORKS = (ip_network("185.71.76.0/27"),)
    checkout = make_checkout()
    response = post(notification("payment.succeeded", checkout.external_id), sender=sender)
    assert_problem(response, 403, "sender_not_allowed")
    assert_nothing_happened()
    row = ProviderNotification.objects.get()
    assert (row.address, row.trusted, row.status, row.payment_id) == (sender, False, NotificationStatus.REFUSED, None)
    (line,) = [record.getMessage() for record in caplog.records if record.name == webhook.__name__]
    assert all(word in line for word in (sender, "TRUSTED_PROXIES", "YUKASSA_NOTIFICATION_NETWORKS"))


def test_a_flood_of_strangers_fills_neither_journal_nor_log(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(MOST_STORED_AN_HOUR + 10):
        assert post(notification("payment.succeeded", "2f-x"), sender=STRANGER).status_code == 403
    assert ProviderNotification.objects.count() == MOST_STORED_AN_HOUR
    assert len([line for line in caplog.messages if "TRUSTED_PROXIES" in line]) == MOST_LOGGED_AN_HOUR


def test_a_flood_that_goes_on_is_told_of_from_time_to_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(webhook, "LOGGED_THEN_EVERY", 20)
    for _ in range(MOST_LOGGED_AN_HOUR + 15):
        post(b"{", sender=STRANGER)
    told = [line for line in caplog.messages if "TRUSTED_PROXIES" in line]
    assert len(told) == MOST_LOGGED_AN_HOUR + 1
    assert "number 20 of this hour" in told[-1]


def test_who_has_no_address_is_a_stranger_that_leaves_nothing() -> None:
    assert_problem(post(notification("payment.succeeded", "2f-x"), sender="unix:"), 403, "sender_not_allowed")
    assert not ProviderNotification.objects.exists()


def test_garbage_of_a_stranger_is_refused_like_anything_else_and_not_kept() -> None:
    assert_problem(post(b"{", sender=STRANGER), 403, "sender_not_allowed")
    assert not ProviderNotification.objects.exists()


@pytest.mark.parametrize(
    ("peer", "forwarded", "status"),
    [
        # The proxy is ours and saw YooKassa.
        ("10.0.0.5", YOOKASSA, 200),
        ("10.0.0.5", f"203.0.113.9, {YOOKASSA}, 10.0.0.6", 200),
        # The proxy is ours, and its client wrote YooKassa's address into the header itself.
        ("10.0.0.5", f"{YOOKASSA}, {STRANGER}", 403),
        # No proxy of ours: the header is worth nothing.
        (STRANGER, YOOKASSA, 403),
        # YooKassa itself needs no proxy, whatever the header says.
        (YOOKASSA, STRANGER, 200),
        # A proxy that names nobody.
        ("10.0.0.5", "", 403),
    ],
)
def test_only_the_hops_that_our_own_proxies_saw_count(
    peer: str, forwarded: str, status: int, settings: Settings
) -> None:
    settings.TRUSTED_PROXIES = (ip_network("10.0.0.0/24"),)
    checkout = make_checkout()
    response = post(
        notification("payment.succeeded", checkout.external_id), sender=peer, headers={"X-Forwarded-For": forwarded}
    )
    assert response.status_code == status
    assert len(queued_checks()) == (1 if status == 200 else 0)


def test_without_a_trusted_proxy_the_header_is_ignored() -> None:
    response = post(
        notification("payment.succeeded", make_checkout().external_id),
        sender=STRANGER,
        headers={"X-Forwarded-For": YOOKASSA, "Client-Address": YOOKASSA},
    )
    assert response.status_code == 403
    assert queued_checks() == []


def test_another_shops_notifications_fill_neither_journal_nor_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(store, "MOST_UNKNOWN_AN_HOUR", 3)
    for number in range(MOST_LOGGED_AN_HOUR + 5):
        assert post(notification("payment.succeeded", f"2f-{number}"), sender=YOOKASSA).status_code == 200
    assert ProviderNotification.objects.count() == 3
    assert len([line for line in caplog.messages if "is not checked" in line]) == MOST_LOGGED_AN_HOUR
    # One about a payment of ours is taken all the same.
    assert post(notification("payment.succeeded", make_checkout().external_id), sender=YOOKASSA).status_code == 200
    assert len(queued_checks()) == 1


def test_what_names_no_payment_of_ours_is_forgotten_after_a_month(monkeypatch: pytest.MonkeyPatch) -> None:
    # Whatever the size of the heap: all of it in one run.
    monkeypatch.setattr(store, "BATCH", 2)
    for number in range(5):
        post(notification("payment.succeeded", f"2f-{number}"), sender=STRANGER)
        post(notification("payment.succeeded", f"2f-{number}"), sender=YOOKASSA)
    post(notification("payment.succeeded", make_checkout().external_id), sender=YOOKASSA)
    assert ProviderNotification.objects.count() == 11
    ProviderNotification.objects.update(received_at=timezone.now() - timedelta(days=31))
    post(notification("payment.succeeded", "2f-new"), sender=STRANGER)
    assert store.forget_strangers() == 10
    assert {row.status for row in ProviderNotification.objects.all()} == {
        NotificationStatus.STORED,
        NotificationStatus.REFUSED,
    }
