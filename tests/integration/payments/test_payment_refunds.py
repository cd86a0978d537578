"""Money that goes back: never more than was paid, sent once, and seen through to its end."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.db import connection

from payments.checking.sync import sync_payment
from payments.errors import NotPaid, RefundRefused
from payments.models import Appointment, Checkout, Refund
from payments.provider import provider
from payments.refunds.request import remaining_amount, request_refund
from payments.states import Attention, Door, PaymentStatus, RefundStatus
from payments.yookassa.errors import Unavailable
from sandbox.yookassa import YooKassaServer
from sandbox.yookassa.records import Status
from tests.support.checkouts import queued_checks
from tests.support.paying import PRICE, in_days, mails, pay, start

pytestmark = pytest.mark.usefixtures("database", "yookassa")


class TestRefunds:
    def test_a_part_then_the_rest_makes_a_refunded_payment_and_two_mails(self, yookassa: YooKassaServer) -> None:
        checkout = start()
        pay(yookassa, checkout)
        self._refund(checkout, Decimal("1000.50"))
        assert sync_payment(checkout.pk, door=Door.QUEUE).status == PaymentStatus.COMPLETED
        self._refund(checkout, None)
        assert sync_payment(checkout.pk, door=Door.QUEUE).status == PaymentStatus.REFUNDED
        amounts = Refund.objects.filter(status="succeeded").order_by("created_at").values_list("amount", flat=True)
        assert list(amounts) == [Decimal("1000.50"), Decimal("3499.50")]
        assert mails().count("payment_refunded") == 2
        assert [check["action"] for check in queued_checks()] == ["refund", "refund"]

    @pytest.mark.parametrize("amount", ["4500.01", "0.00", "-1.00", "0.001"])
    def test_an_amount_that_cannot_be_is_refused(self, yookassa: YooKassaServer, amount: str) -> None:
        checkout = start()
        pay(yookassa, checkout)
        with pytest.raises(RefundRefused):
            self._refund(checkout, Decimal(amount))
        assert not Refund.objects.exists()
        assert queued_checks() == []

    def test_an_unpaid_payment_is_not_refunded(self) -> None:
        checkout = start()
        sync_payment(checkout.pk, door=Door.API)
        with pytest.raises(NotPaid):
            self._refund(checkout, None)

    def test_refunds_asked_for_at_once_never_exceed_what_was_paid(self, yookassa: YooKassaServer) -> None:
        checkout = start()
        pay(yookassa, checkout)

        def ask(_: int) -> bool:
            try:
                self._refund(checkout, Decimal("2000.00"))
            except RefundRefused:
                return False
            finally:
                connection.close()
            return True

        with ThreadPoolExecutor(6) as pool:
            assert sorted(pool.map(ask, range(6))) == [False] * 4 + [True] * 2
        checkout.refresh_from_db()
        assert remaining_amount(checkout) == Decimal("500.00")

    def test_a_lost_answer_is_repeated_and_makes_one_refund(self, yookassa: YooKassaServer) -> None:
        checkout = start()
        pay(yookassa, checkout)
        self._refund(checkout, Decimal("100.00"))
        yookassa.fail("500", method="POST", after=True)
        with pytest.raises(Unavailable):
            sync_payment(checkout.pk, door=Door.QUEUE)
        sync_payment(checkout.pk, door=Door.QUEUE)
        checkout.refresh_from_db()
        assert checkout.refunded_amount == Decimal("100.00")
        assert len(yookassa.shop.list_refunds({})["items"]) == 1

    def test_an_old_request_is_looked_for_and_not_sent_again(self, yookassa: YooKassaServer) -> None:
        checkout = start()
        pay(yookassa, checkout)
        made, lost = self._refund(checkout, Decimal("100.00")), self._refund(checkout, Decimal("200.00"))
        provider().create_refund(made.request_body or {}, key=str(made.pk))
        Refund.objects.update(created_at=in_days(-1.1))
        sync_payment(checkout.pk, door=Door.RECONCILIATION)
        made.refresh_from_db()
        lost.refresh_from_db()
        assert (made.status, lost.status) == (RefundStatus.SUCCEEDED, RefundStatus.REJECTED)
        assert len(yookassa.shop.list_refunds({})["items"]) == 1

    def test_a_refund_that_the_bank_refuses_frees_its_amount_and_asks_for_a_person(
        self, yookassa: YooKassaServer
    ) -> None:
        checkout = start()
        pay(yookassa, checkout)
        yookassa.shop.refund_status = Status.CANCELED
        refund = self._refund(checkout, None)
        sync_payment(checkout.pk, door=Door.QUEUE)
        refund.refresh_from_db()
        checkout.refresh_from_db()
        assert (refund.status, refund.cancellation_reason) == (RefundStatus.CANCELED, "insufficient_funds")
        assert checkout.attention == Attention.REFUND_FAILED
        assert remaining_amount(checkout) == PRICE
        assert "payment_refunded" not in mails()

    def test_a_refund_of_yookassas_own_office_is_found(self, yookassa: YooKassaServer) -> None:
        checkout = start()
        pay(yookassa, checkout)
        checkout.refresh_from_db()
        money = {"value": "4500.00", "currency": "RUB"}
        yookassa.shop.create_refund({"payment_id": checkout.external_id, "amount": money})
        assert sync_payment(checkout.pk, door=Door.RECONCILIATION).status == PaymentStatus.REFUNDED
        assert Refund.objects.get().requested_by is None

    def test_a_payment_refunded_before_it_was_seen_gives_nothing(self, yookassa: YooKassaServer) -> None:
        checkout = start()
        sync_payment(checkout.pk, door=Door.API)
        checkout.refresh_from_db()
        yookassa.succeed(str(checkout.external_id))
        money = {"value": "4500.00", "currency": "RUB"}
        yookassa.shop.create_refund({"payment_id": checkout.external_id, "amount": money})
        assert sync_payment(checkout.pk, door=Door.WEBHOOK).status == PaymentStatus.REFUNDED
        assert not Appointment.objects.exists()

    def _refund(self, checkout: Checkout, amount: Decimal | None) -> Refund:
        return request_refund(payment_id=checkout.pk, amount=amount, reason="", actor_id=None, door=Door.STAFF)
