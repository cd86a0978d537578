"""A payment as we have it beside what YooKassa says at this moment."""

from decimal import Decimal

import pytest
from django.test import Client
from pytest_django import Settings

from payments.models import Checkout, PaymentEvent, Refund
from payments.states import ProviderStatus, RefundStatus
from sandbox.yookassa import FaultKind, YooKassaServer
from tests.support.checkouts import make_checkout, make_payment, queued_checks
from tests.support.payment_deliveries import start_payment
from tests.support.payment_pages import CHECK, LOOK, page_of, staff_with, text
from tests.support.yookassa_shop import IMPATIENT

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def support() -> Client:
    return staff_with(*LOOK, CHECK)


def test_the_comparison_shows_both_sides_and_writes_nothing(support: Client, shop: YooKassaServer) -> None:
    checkout = start_payment(test=True)
    same = text(support.get(page_of(checkout.pk, "compare")))
    assert "Всё совпадает." in same
    shop.succeed(str(checkout.external_id))
    response = support.get(page_of(checkout.pk, "compare"))
    shown = text(response)
    assert "Статус в ЮKassa ждёт оплаты (pending) оплачен (succeeded)" in shown
    assert "Статус в таблице сайта ждёт оплаты (processing) оплачен (completed)" in shown
    assert response.content.decode().count('class="payment-differs"') == response.context["differences"] >= 2
    checkout.refresh_from_db()
    assert checkout.provider_status == ProviderStatus.PENDING
    assert not PaymentEvent.objects.exists()
    assert all(call.method == "GET" for call in shop.requests[1:])


def test_a_comparison_speaks_of_methods_receipts_and_reasons(support: Client, shop: YooKassaServer) -> None:
    paid, declined = start_payment(), start_payment()
    shop.succeed(str(paid.external_id))
    shop.decline(str(declined.external_id), reason="insufficient_funds")
    Checkout.objects.filter(pk=paid.pk).update(receipt_registration="succeeded")
    shown = text(support.get(page_of(paid.pk, "compare")))
    assert "Способ — банковская карта *" in shown
    assert "Кассовый чек зарегистрирован (succeeded) —" in shown
    assert "На карте или счёте не хватает денег (insufficient_funds)" in text(
        support.get(page_of(declined.pk, "compare"))
    )


def test_a_difference_that_no_check_mends_is_for_the_developers(support: Client, shop: YooKassaServer) -> None:
    checkout = start_payment()
    says = "Такое расхождение проверка не исправит: покажите его разработчикам."
    shop.succeed(str(checkout.external_id))
    shown = text(support.get(page_of(checkout.pk, "compare")))
    assert says not in shown
    assert "«Проверить сейчас» на странице платежа" in shown
    Checkout.objects.filter(pk=checkout.pk).update(amount=Decimal(5000))
    shown = text(support.get(page_of(checkout.pk, "compare")))
    assert says in shown
    assert "«Проверить сейчас»" not in shown


def test_a_comparison_sends_no_refund_that_waits(support: Client, shop: YooKassaServer) -> None:
    checkout = start_payment()
    shop.succeed(str(checkout.external_id))
    Refund.objects.create(payment_id=checkout.pk, amount=Decimal(100), request_body={"payment_id": "x"})
    support.get(page_of(checkout.pk, "compare"))
    assert Refund.objects.get().status == RefundStatus.REQUESTED
    assert [call.method for call in shop.requests[1:]] == ["GET"]


@pytest.mark.parametrize(
    ("fault", "says"),
    [(FaultKind.SILENT, "ЮKassa сейчас не отвечает"), (FaultKind.HTML_502, "ЮKassa сейчас не отвечает")],
)
def test_a_provider_that_is_away_is_said_so(
    support: Client, shop: YooKassaServer, settings: Settings, fault: FaultKind, says: str
) -> None:
    checkout = start_payment()
    settings.YUKASSA_READ_TIMEOUT = IMPATIENT
    shop.fail(fault)
    assert says in text(support.get(page_of(checkout.pk, "compare")))


def test_a_payment_that_yookassa_does_not_know_is_said_so(support: Client, shop: YooKassaServer) -> None:
    checkout, row = make_checkout(ProviderStatus.PENDING), make_payment()
    assert "ЮKassa не знает этот платёж" in text(support.get(page_of(checkout.pk, "compare")))
    assert "В ЮKassa этот платёж не создавали" in text(support.get(page_of(row.pk, "compare")))


def test_a_shop_that_is_not_set_up_is_said_so(support: Client, settings: Settings) -> None:
    settings.YUKASSA_SHOP_ID = ""
    assert "ЮKassa не настроена" in text(support.get(page_of(make_checkout().pk, "compare")))
    assert queued_checks() == []
