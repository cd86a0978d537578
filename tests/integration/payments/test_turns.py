"""How often YooKassa is asked about one payment: once in a pause, whoever asks, and nothing is lost by that."""

import uuid
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

import pytest
from celery.exceptions import Ignore
from django.db import connection
from django.db.models import F
from django.utils import timezone
from pytest_django import Settings

from bridge.pgmq import pgmq_queue
from payments import tasks
from payments.checking.due import queue_due_checks
from payments.models import Checkout, Payment, PaymentAttention, ProviderNotification, Refund, Turn
from payments.queue import QUEUE, queue_check
from payments.refunds.request import request_refund
from payments.states import Attention, Door, NotificationStatus, PaymentStatus, RefundStatus
from payments.webhook.journal import is_own_message
from payments.webhook.notice import Notice
from payments.webhook.store import store_notification
from sandbox.yookassa import YooKassaServer
from tests.support import deliveries
from tests.support.checkouts import make_customer, make_payment, queued_checks
from tests.support.payment_calls import Answer, Catalogue, Customer, at_once
from tests.support.payment_deliveries import create_at_yookassa, start_payment, work_off
from tests.support.payment_pages import CHECK, LOOK, messages_of, page_of, staff_with, text
from tests.support.webhook_requests import YOOKASSA, notification

# Ten times what it is in production, so that no test on a slow machine outlasts it.
PAUSE = 50.0
SOON, LONG = PAUSE / 5, PAUSE * 12
# An id as YooKassa makes them, and of no payment.
INVENTED = "22d6d597-000f-5000-9000-145f6df21d6f"


@pytest.fixture(autouse=True)
def _paused_as_in_production(settings: Settings) -> None:
    settings.YUKASSA_ASK_PAUSE_SECONDS = PAUSE


def pass_time(seconds: float) -> None:
    Turn.objects.update(taken_at=F("taken_at") - timedelta(seconds=seconds))


def questions(shop: YooKassaServer, about: str = "/payments/") -> int:
    return sum(call.method == "GET" and call.path.startswith(about) for call in shop.requests)


def send_as_anon(payment_id: uuid.UUID, action: str = "verify") -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET ROLE anon")
        cursor.execute("SELECT public.queue_payment_processing(%s, %s)", [payment_id, action])
        cursor.execute("RESET ROLE")


def status_of(checkout: Checkout) -> str:
    return Payment.objects.get(pk=checkout.pk).status


def pay(shop: YooKassaServer, checkout: Checkout) -> None:
    """The payer pays, and YooKassa says so."""
    shop.succeed(str(checkout.external_id))
    body = notification("payment.succeeded", checkout.external_id).decode()
    store_notification(Notice.parse(body), address=YOOKASSA, body=body)


def customer_of(checkout: Checkout) -> Customer:
    return Customer(checkout.payment.user)


class TestMessagesOfStrangers:
    def test_eight_at_once_cost_one_question(self, shop: YooKassaServer) -> None:
        checkout = start_payment()
        for _ in range(8):
            send_as_anon(checkout.pk)
        due = pgmq_queue(QUEUE).read(limit=8, lease=60)

        def deliver() -> None:
            with suppress(Ignore):
                deliveries.run(tasks.process, due.pop())

        at_once(8, deliver)
        assert questions(shop) == 1
        pass_time(PAUSE)
        work_off()
        # They are from before it.
        assert (questions(shop), queued_checks()) == (1, [])

    def test_six_one_after_the_other_cost_two(self, shop: YooKassaServer) -> None:
        checkout = start_payment()
        for _ in range(6):
            send_as_anon(checkout.pk)
            # And all those before it.
            work_off()
        assert (questions(shop), len(queued_checks())) == (1, 5)
        pass_time(PAUSE)
        work_off()
        assert (questions(shop), queued_checks()) == (2, [])

    def test_the_message_is_hidden_until_its_turn_and_uses_up_no_attempt(self, shop: YooKassaServer) -> None:
        checkout = start_payment()
        for _ in range(2):
            send_as_anon(checkout.pk)
            work_off()
        due = pgmq_queue(QUEUE).next_due()
        assert due is not None
        assert 0 < due <= PAUSE
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE pgmq.q_{QUEUE} SET vt = now() - interval '1 second'")
        [delivery] = pgmq_queue(QUEUE).read(limit=1, lease=60)
        assert (delivery.history.attempts, delivery.history.last_error) == (0, None)

    def test_a_flood_about_one_payment_delays_no_other(self, shop: YooKassaServer) -> None:
        flooded, other = start_payment(), start_payment()
        for _ in range(3):
            send_as_anon(flooded.pk)
        send_as_anon(other.pk)
        work_off()
        assert questions(shop, f"/payments/{flooded.external_id}") == 1
        assert questions(shop, f"/payments/{other.external_id}") == 1

    def test_a_provider_that_fails_is_asked_no_oftener(self, shop: YooKassaServer) -> None:
        checkout = start_payment()
        shop.fail("500", times=100)
        for _ in range(5):
            send_as_anon(checkout.pk)
        for _ in range(3):
            work_off()
        assert questions(shop) == 1
        pass_time(PAUSE)
        work_off()
        assert (questions(shop), len(queued_checks())) == (2, 5)

    def test_ids_of_no_payment_leave_nothing(self, shop: YooKassaServer) -> None:
        send_as_anon(uuid.uuid4())
        send_as_anon(make_payment().pk)
        work_off()
        assert (questions(shop), Turn.objects.count()) == (0, 0)


class TestOlderPayments:
    def test_an_invented_id_costs_one_question_a_long_pause(self, shop: YooKassaServer) -> None:
        row = make_payment(external_payment_id=INVENTED)
        for number in range(6):
            send_as_anon(row.pk)
            if number % 2:
                work_off()
        work_off()
        assert (questions(shop), queued_checks()) == (1, [])
        pass_time(LONG - PAUSE)
        send_as_anon(row.pk)
        work_off()
        assert questions(shop) == 1
        pass_time(PAUSE)
        send_as_anon(row.pk)
        work_off()
        assert (questions(shop), queued_checks()) == (2, [])

    def test_the_browser_hears_the_same_without_a_question(self, shop: YooKassaServer) -> None:
        row = make_payment(external_payment_id=INVENTED)
        answers = [Customer(row.user).verify(row.pk) for _ in range(5)]
        assert {(one.status, one.code) for one in answers} == {(409, "payment_mismatch")}
        assert questions(shop) == 1

    def test_many_rows_of_one_customer_are_asked_about_one_after_the_other(self, shop: YooKassaServer) -> None:
        user = make_customer()
        for number in range(5):
            send_as_anon(make_payment(user=user, external_payment_id=f"{INVENTED[:-2]}{number:02}").pk)
        work_off()
        assert questions(shop) == 1
        pass_time(PAUSE)
        work_off()
        assert questions(shop) == 2

    def test_one_that_is_taken_over_costs_one_question(self, shop: YooKassaServer) -> None:
        row = make_payment()
        created = create_at_yookassa({"payment_id": str(row.pk)})
        shop.succeed(created.id)
        Payment.objects.filter(pk=row.pk).update(external_payment_id=created.id)
        send_as_anon(row.pk)
        work_off()
        assert Payment.objects.get(pk=row.pk).status == PaymentStatus.COMPLETED
        assert questions(shop) == 1

    def test_money_that_several_rows_claim_is_still_marked_when_the_browser_asked_first(
        self, shop: YooKassaServer
    ) -> None:
        created = create_at_yookassa({"shop": "old"})
        shop.succeed(created.id)
        rows = [make_payment(external_payment_id=created.id) for _ in range(2)]
        assert Customer(rows[0].user).verify(rows[0].pk).status == 409
        send_as_anon(rows[0].pk)
        work_off()
        assert questions(shop) == 1
        assert PaymentAttention.objects.get().reason == Attention.MISMATCH


class TestTheBrowser:
    def test_that_asks_all_the_time_hears_what_is_known(self, shop: YooKassaServer) -> None:
        checkout = start_payment()
        customer = customer_of(checkout)
        answers = [customer.verify(checkout.pk) for _ in range(5)]
        assert {(one.status, one.body["status"]) for one in answers} == {(200, "processing")}
        assert questions(shop) == 1
        shop.succeed(str(checkout.external_id))
        assert customer.verify(checkout.pk).body["status"] == "processing"
        pass_time(PAUSE)
        assert customer.verify(checkout.pk).body["status"] == "completed"

    def test_and_four_at_once(self, shop: YooKassaServer) -> None:
        checkout = start_payment()
        customer = customer_of(checkout)

        def ask() -> Answer:
            return customer.verify(checkout.pk)

        assert {answer.status for answer in at_once(4, ask)} == {200}
        assert questions(shop) == 1

    def test_that_is_about_to_pay_gets_no_form_that_has_ended(
        self, catalogue: Catalogue, customer: Customer, yookassa: YooKassaServer
    ) -> None:
        first = customer.create(catalogue.bundle())
        assert customer.create(catalogue.bundle()).body == first.body
        yookassa.decline(str(Checkout.objects.get().external_id))
        second = customer.create(catalogue.bundle())
        assert (second.status, second.body["payment_id"] != first.body["payment_id"]) == (200, True)

    def test_whose_second_click_was_answered_makes_the_others_wait(
        self, catalogue: Catalogue, customer: Customer, yookassa: YooKassaServer
    ) -> None:
        for _ in range(2):
            started = customer.create(catalogue.bundle())
        asked = questions(yookassa)
        assert customer.verify(started.body["payment_id"]).body["status"] == "processing"
        assert questions(yookassa) == asked == 1


class TestNews:
    def test_money_that_arrives_right_after_a_check_is_noticed_soon(self, shop: YooKassaServer) -> None:
        checkout = start_payment()
        customer_of(checkout).verify(checkout.pk)
        pay(shop, checkout)
        work_off()
        due = pgmq_queue(QUEUE).next_due()
        assert due is not None
        assert 0 < due <= SOON
        pass_time(SOON)
        work_off()
        assert (status_of(checkout), questions(shop)) == (PaymentStatus.COMPLETED, 2)
        assert ProviderNotification.objects.get().status == NotificationStatus.PROCESSED

    def test_copies_of_one_notification_cost_one_question(self, shop: YooKassaServer) -> None:
        checkout = start_payment()
        for _ in range(4):
            body = notification("payment.succeeded", checkout.external_id).decode()
            store_notification(Notice.parse(body), address=YOOKASSA, body=body)
        shop.succeed(str(checkout.external_id))
        due = pgmq_queue(QUEUE).read(limit=4, lease=60)

        def deliver() -> None:
            with suppress(Ignore):
                deliveries.run(tasks.process, due.pop())

        at_once(4, deliver)
        pass_time(PAUSE)
        work_off()
        assert (questions(shop), status_of(checkout), queued_checks()) == (1, PaymentStatus.COMPLETED, [])
        assert set(ProviderNotification.objects.values_list("status", flat=True)) == {NotificationStatus.PROCESSED}

    def test_a_message_that_only_names_a_notification_is_none(self, shop: YooKassaServer) -> None:
        checkout = start_payment()
        body = notification("payment.canceled", checkout.external_id).decode()
        store_notification(Notice.parse(body), address=YOOKASSA, body=body)
        work_off()
        for _ in range(5):
            queue_check(checkout.pk, "verify", notification_id=ProviderNotification.objects.get().pk)
        ProviderNotification.objects.update(status=NotificationStatus.STORED)
        pass_time(SOON)
        work_off()
        assert questions(shop) == 1

    def test_a_message_is_that_of_the_notification_it_names_and_of_no_other(self, shop: YooKassaServer) -> None:
        rows = [
            ProviderNotification.objects.create(address=YOOKASSA, trusted=True, body="{}", msg_id=number)
            for number in (7, 8)
        ]
        assert is_own_message(7, notification_id=rows[0].pk)
        assert not is_own_message(7, notification_id=rows[1].pk)
        assert not is_own_message(9, notification_id=rows[0].pk)
        assert not is_own_message(7, notification_id=None)

    def test_a_notification_that_was_checked_is_none_any_more(self, shop: YooKassaServer) -> None:
        checkout = start_payment()
        body = notification("payment.canceled", checkout.external_id).decode()
        store_notification(Notice.parse(body), address=YOOKASSA, body=body)
        customer_of(checkout).verify(checkout.pk)
        ProviderNotification.objects.update(status=NotificationStatus.PROCESSED)
        Turn.objects.update(taken_at=F("taken_at") - timedelta(seconds=SOON))
        Checkout.objects.update(checked_at=None)
        work_off()
        assert questions(shop) == 1

    def test_a_refund_that_is_asked_for_right_after_a_check_goes_out_soon(self, shop: YooKassaServer) -> None:
        checkout = start_payment()
        shop.succeed(str(checkout.external_id))
        customer_of(checkout).verify(checkout.pk)
        pass_time(SOON)
        request_refund(payment_id=checkout.pk, amount=Decimal(100), reason="", actor_id=None, door=Door.STAFF)
        for _ in range(5):
            send_as_anon(checkout.pk, "refund")
        work_off()
        assert Refund.objects.get().status == RefundStatus.SUCCEEDED
        assert questions(shop) == 2

    def test_a_refund_that_gets_no_answer_is_sent_no_oftener_for_the_messages_of_strangers(
        self, shop: YooKassaServer
    ) -> None:
        checkout = start_payment()
        shop.succeed(str(checkout.external_id))
        customer_of(checkout).verify(checkout.pk)
        pass_time(PAUSE)
        shop.fail("500", times=100, method="POST", path="/refunds")
        request_refund(payment_id=checkout.pk, amount=Decimal(100), reason="", actor_id=None, door=Door.STAFF)
        for _ in range(4):
            send_as_anon(checkout.pk, "refund")
            work_off()
        sent = [call for call in shop.requests if call.method == "POST" and call.path == "/refunds"]
        assert len(sent) == 1
        assert Refund.objects.get().status == RefundStatus.REQUESTED


class TestStaff:
    def test_who_check_a_payment_that_was_just_checked_get_a_check_that_comes_by_itself(
        self, shop: YooKassaServer
    ) -> None:
        checkout, staff = start_payment(), staff_with(*LOOK, CHECK)
        address = page_of(checkout.pk, "check")
        staff.post(address)
        shop.succeed(str(checkout.external_id))
        *_, said = messages_of(staff.post(address, follow=True))
        assert said == "ЮKassa спрашивали об этом платеже только что. Проверка поставлена в очередь и пройдёт сама."
        assert questions(shop) == 1
        pass_time(PAUSE)
        work_off()
        assert (status_of(checkout), questions(shop)) == (PaymentStatus.COMPLETED, 2)

    def test_who_compare_a_payment_again_and_again_are_told_to_wait(self, shop: YooKassaServer) -> None:
        checkout, staff = start_payment(), staff_with(*LOOK, CHECK)
        address = page_of(checkout.pk, "compare")
        assert "4 500,00" in text(staff.get(address))
        assert "только что" in text(staff.get(address))
        assert questions(shop) == 1


def test_beats_own_checks_wait_and_come(shop: YooKassaServer) -> None:
    checkout = start_payment()
    customer_of(checkout).verify(checkout.pk)
    shop.succeed(str(checkout.external_id))
    Checkout.objects.update(next_check_at=timezone.now())
    assert queue_due_checks() == 1
    work_off()
    assert (questions(shop), len(queued_checks())) == (1, 1)
    pass_time(PAUSE)
    work_off()
    assert (status_of(checkout), questions(shop)) == (PaymentStatus.COMPLETED, 2)


def test_all_doors_together_cost_one_question(shop: YooKassaServer) -> None:
    checkout, staff = start_payment(), staff_with(*LOOK, CHECK)
    Checkout.objects.update(next_check_at=timezone.now())
    for _ in range(3):
        send_as_anon(checkout.pk)
        customer_of(checkout).verify(checkout.pk)
        queue_due_checks()
        staff.post(page_of(checkout.pk, "check"))
        staff.get(page_of(checkout.pk, "compare"))
        work_off()
    assert questions(shop) == 1


def test_without_a_pause_nothing_is_kept(shop: YooKassaServer, settings: Settings) -> None:
    settings.YUKASSA_ASK_PAUSE_SECONDS = 0
    checkout = start_payment()
    for _ in range(3):
        customer_of(checkout).verify(checkout.pk)
    assert (questions(shop), Turn.objects.count()) == (3, 0)


def test_turns_of_long_ago_are_forgotten(shop: YooKassaServer) -> None:
    old, new = start_payment(), start_payment()
    customer_of(old).verify(old.pk)
    pass_time(3601)
    customer_of(new).verify(new.pk)
    tasks.forget_old_keys()
    assert list(Turn.objects.values_list("pk", flat=True)) == [str(new.pk)]
