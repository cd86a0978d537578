"""What the check of a payment costs Postgres: how many round trips, and no column written that stays as it is."""

import pytest

from payments.checking.sync import sync_payment
from payments.models import Checkout, Payment, ProviderNotification
from payments.queue import queue_check
from payments.states import Door, NotificationStatus, PaymentStatus
from payments.tasks import process
from sandbox.yookassa import YooKassaServer
from tests.support.paying import start
from tests.support.payment_deliveries import work_off
from tests.support.statements import round_trips, written_in_vain
from tests.support.webhook_requests import notification, post

pytestmark = pytest.mark.usefixtures("database", "yookassa")

# Exactly, so that one more is seen; fewer are welcome, and are written down here.
NOTHING_NEW, PAID = 16, 47


def waiting() -> Checkout:
    """A payment for a consultation, seen at YooKassa, whose payer has not paid yet."""
    checkout = start()
    sync_payment(checkout.pk, door=Door.API)
    checkout.refresh_from_db()
    return checkout


def reads_of_refunds(said: list[str]) -> list[str]:
    """One finds what is to be sent, one comes after YooKassa's answer, one under the payment's lock."""
    return [one for one in said if 'FROM "payments_refund"' in one]


def test_a_check_that_finds_nothing_new_costs_so_many_round_trips(yookassa: YooKassaServer) -> None:
    checkout = waiting()
    said = round_trips(process, queue_check(checkout.pk, "verify"))
    # Claim, 4 looks of what is asked of YooKassa and the breaker's; BEGIN, outcome, the payment's rows, COMMIT.
    assert len(said) == NOTHING_NEW, said
    assert len(reads_of_refunds(said)) == 3


def test_a_notification_of_a_paid_consultation_costs_so_many_round_trips(yookassa: YooKassaServer) -> None:
    checkout = waiting()
    yookassa.succeed(str(checkout.external_id))
    assert post(notification("payment.succeeded", checkout.external_id)).status_code == 200
    row = ProviderNotification.objects.get()
    assert row.msg_id is not None
    said = round_trips(process, row.msg_id)
    assert Payment.objects.get(pk=checkout.pk).status == PaymentStatus.COMPLETED
    assert len(said) == PAID, said
    assert len(reads_of_refunds(said)) == 3


def test_no_column_of_a_payment_is_written_that_stays_as_it_is(yookassa: YooKassaServer) -> None:
    checkout = waiting()
    with written_in_vain() as columns:
        work_off()
        yookassa.succeed(str(checkout.external_id))
        post(notification("payment.succeeded", checkout.external_id))
        work_off()
        assert ProviderNotification.objects.get().status == NotificationStatus.PROCESSED
        work_off()
    assert columns == []
    assert Checkout.objects.get().checks > 1
