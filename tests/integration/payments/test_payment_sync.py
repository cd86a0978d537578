"""The one room: what the provider says becomes the state of a payment, whatever stands in the site's row."""

import uuid
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from freezegun import freeze_time

from bridge.errors import PermanentError
from payments.checking.ask import ask_about, was_checked_since
from payments.checking.creation import record_refused
from payments.checking.sync import send_and_ask, sync_payment
from payments.errors import PaymentMissing, ProviderMismatch
from payments.models import Appointment, Checkout, Fulfilment, Payment, PaymentEvent
from payments.provider import provider
from payments.refunds.request import request_refund
from payments.refunds.send import Sent
from payments.states import Attention, Door, EventKind, PaymentStatus, ProviderStatus, RefundStatus
from payments.yookassa.errors import Rejected, Unavailable
from sandbox.yookassa import YooKassaServer
from tests.support.checkouts import make_customer
from tests.support.paying import PRICE, in_days, mails, pay, start

pytestmark = pytest.mark.usefixtures("database", "yookassa")


def test_a_declined_payment_is_failed_with_its_reason(yookassa: YooKassaServer) -> None:
    checkout = start()
    sync_payment(checkout.pk, door=Door.API)
    checkout.refresh_from_db()
    yookassa.decline(str(checkout.external_id), reason="a_reason_of_tomorrow")
    payment = sync_payment(checkout.pk, door=Door.WEBHOOK)
    checkout.refresh_from_db()
    assert payment.status == PaymentStatus.FAILED
    assert checkout.cancellation_reason == "a_reason_of_tomorrow"
    assert checkout.next_check_at is None
    assert not Appointment.objects.exists()


@pytest.mark.parametrize("written", ["completed", "refunded", "failed"])
def test_a_status_written_by_hand_proves_nothing(yookassa: YooKassaServer, written: str) -> None:
    checkout = start()
    Payment.objects.filter(pk=checkout.pk).update(status=written)
    payment = sync_payment(checkout.pk, door=Door.API)
    assert payment.status == PaymentStatus.PROCESSING
    assert not Appointment.objects.exists()
    corrected = PaymentEvent.objects.get(payment=payment, kind=EventKind.STATUS_CORRECTED)
    assert corrected.data["status"] == {"found": written, "right": "processing"}


def test_a_status_that_the_front_end_wrote_in_time_is_no_news(yookassa: YooKassaServer) -> None:
    checkout = start()
    sync_payment(checkout.pk, door=Door.API)
    checkout.refresh_from_db()
    yookassa.succeed(str(checkout.external_id))
    Payment.objects.filter(pk=checkout.pk).update(status="completed")
    before = mails()
    sync_payment(checkout.pk, door=Door.WEBHOOK)
    # Supabase mails about changes of the status: only the booking is one.
    assert mails() == [*before, "appointment_confirmation"]
    assert Fulfilment.objects.filter(pk=checkout.pk).exists()


def test_an_amount_and_an_id_that_the_payer_edited_are_put_right(yookassa: YooKassaServer) -> None:
    checkout = start()
    sync_payment(checkout.pk, door=Door.API)
    checkout.refresh_from_db()
    Payment.objects.filter(pk=checkout.pk).update(amount=1, external_payment_id="another", metadata={"type": "package"})
    yookassa.succeed(str(checkout.external_id))
    payment = sync_payment(checkout.pk, door=Door.API)
    assert (payment.amount, payment.external_payment_id) == (PRICE, checkout.external_id)
    # What was ordered is what was frozen, and not what the row says by now.
    assert Appointment.objects.filter(payment=payment).count() == 1


def test_a_payment_of_another_amount_is_not_taken(yookassa: YooKassaServer) -> None:
    checkout = start(created=False)
    cheap = {**(checkout.request_body or {}), "amount": {"value": "1.00", "currency": "RUB"}}
    made = provider().create_payment(cheap, key="another")
    yookassa.succeed(made.id)
    payment = sync_payment(checkout.pk, door=Door.WEBHOOK)
    checkout.refresh_from_db()
    assert payment.status == PaymentStatus.PENDING
    assert (checkout.attention, checkout.external_id) == (Attention.MISMATCH, None)
    assert not Appointment.objects.exists()


def test_a_payment_that_the_provider_does_not_know_is_a_mismatch() -> None:
    checkout = start(created=False)
    Checkout.objects.filter(pk=checkout.pk).update(external_id=str(uuid.uuid4()), provider_status="pending")
    with pytest.raises(ProviderMismatch, match="another shop"):
        sync_payment(checkout.pk, door=Door.QUEUE)
    assert issubclass(ProviderMismatch, PermanentError)


class TestPaymentsWhoseCreationGotNoAnswer:
    def test_the_provider_is_searched_by_our_id(self, yookassa: YooKassaServer) -> None:
        checkout = start()
        sync_payment(checkout.pk, door=Door.RECONCILIATION)
        checkout.refresh_from_db()
        assert checkout.external_id is not None
        assert checkout.confirmation_token.startswith("ct-")

    def test_one_that_was_never_made_is_called_off_after_an_hour(self) -> None:
        checkout = start(created=False)
        assert sync_payment(checkout.pk, door=Door.RECONCILIATION).status == PaymentStatus.PENDING
        Checkout.objects.filter(pk=checkout.pk).update(created_at=in_days(-0.1))
        assert sync_payment(checkout.pk, door=Door.RECONCILIATION).status == PaymentStatus.CANCELLED
        assert mails() == []

    def test_one_that_turns_up_after_that_goes_on(self, yookassa: YooKassaServer) -> None:
        checkout = start(created=False)
        Checkout.objects.filter(pk=checkout.pk).update(created_at=in_days(-0.05))
        sync_payment(checkout.pk, door=Door.RECONCILIATION)
        made = provider().create_payment(checkout.request_body or {}, key=str(checkout.pk))
        yookassa.succeed(made.id)
        Checkout.objects.filter(pk=checkout.pk).update(created_at=timezone.now())
        assert sync_payment(checkout.pk, door=Door.RECONCILIATION).status == PaymentStatus.COMPLETED

    def test_one_that_the_provider_refused_is_called_off_for_staff_to_see(self) -> None:
        checkout = start(created=False)
        refusal = Rejected(400, "invalid_request", "receipt", "bad receipt")
        assert record_refused(checkout.pk, refusal, door=Door.API).status == PaymentStatus.CANCELLED
        checkout.refresh_from_db()
        assert checkout.attention == Attention.NOT_CREATED


def test_a_message_from_before_the_last_check_has_its_answer_unless_a_refund_waits(yookassa: YooKassaServer) -> None:
    checkout = start()
    asked = timezone.now()
    assert not was_checked_since(asked, payment_id=checkout.pk)
    pay(yookassa, checkout)
    assert was_checked_since(asked, payment_id=checkout.pk)
    assert not was_checked_since(timezone.now(), payment_id=checkout.pk)
    request_refund(payment_id=checkout.pk, amount=None, reason="", actor_id=None, door=Door.STAFF)
    assert not was_checked_since(asked, payment_id=checkout.pk)


def test_asking_sends_no_refund_and_writes_nothing(yookassa: YooKassaServer) -> None:
    checkout = start()
    pay(yookassa, checkout)
    refund = request_refund(payment_id=checkout.pk, amount=None, reason="", actor_id=None, door=Door.STAFF)
    checkout.refresh_from_db()
    with CaptureQueriesContext(connection) as queries:
        seen = ask_about(provider(), checkout, sent=Sent(), seen_at=timezone.now())
    assert {query["sql"].split()[0] for query in queries} == {"SELECT"}
    assert yookassa.shop.list_refunds({})["items"] == []
    assert (seen.payment_id, seen.refunds, seen.refused) == (checkout.pk, (), {})
    send_and_ask(checkout.pk)
    assert [item["description"] for item in yookassa.shop.list_refunds({})["items"]] == [f"Возврат {refund.pk}"]
    refund.refresh_from_db()
    assert refund.status == RefundStatus.REQUESTED


def test_a_payment_that_nobody_started_is_missing() -> None:
    row = Payment.objects.create(user=make_customer(), amount=PRICE)
    for payment_id in (row.pk, uuid.uuid4()):
        with pytest.raises(PaymentMissing):
            sync_payment(payment_id, door=Door.QUEUE)


def test_a_check_that_fails_changes_nothing(yookassa: YooKassaServer) -> None:
    checkout = start()
    sync_payment(checkout.pk, door=Door.API)
    before = Checkout.objects.values().get(pk=checkout.pk)
    yookassa.fail("500")
    with pytest.raises(Unavailable):
        sync_payment(checkout.pk, door=Door.API)
    assert Checkout.objects.values().get(pk=checkout.pk) == before


def test_the_timeline_can_only_be_added_to(yookassa: YooKassaServer) -> None:
    sync_payment(start().pk, door=Door.API)
    for change in (lambda: PaymentEvent.objects.update(kind="x"), PaymentEvent.objects.all().delete):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            change()


def test_the_next_check_comes_later_and_later_until_the_payment_is_final(yookassa: YooKassaServer) -> None:
    checkout = start()
    waits = []
    with freeze_time(timezone.now()) as clock:
        for _ in range(4):
            sync_payment(checkout.pk, door=Door.RECONCILIATION)
            checkout.refresh_from_db()
            assert checkout.next_check_at is not None
            waits.append(checkout.next_check_at - timezone.now())
            clock.move_to(checkout.next_check_at)
    assert waits == sorted(waits)
    assert waits[-1] > waits[0] >= timedelta(minutes=1)
    yookassa.succeed(str(checkout.external_id))
    sync_payment(checkout.pk, door=Door.RECONCILIATION)
    checkout.refresh_from_db()
    assert (checkout.provider_status, checkout.next_check_at) == (ProviderStatus.SUCCEEDED, None)
