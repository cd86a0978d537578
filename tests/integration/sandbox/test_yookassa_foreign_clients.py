"""Clients that we did not write, as they are published: only the address, the shop and its key are set.

What they send and what they demand of an answer was decided against the real YooKassa.
"""

import asyncio
from collections.abc import Iterator
from decimal import Decimal

import pytest
import yookassa as official
from aioyookassa import YooKassa as AioYooKassa
from aioyookassa.types.params import CreatePaymentParams, CreateRefundParams, GetPaymentsParams
from aioyookassa.types.payment import Confirmation, PaymentAmount
from async_yookassa import YooKassaClient
from yookassa.domain.common import ConfirmationType
from yookassa.domain.models.currency import Currency
from yookassa.domain.notification import WebhookNotification
from yookassa.domain.request import PaymentRequestBuilder
from yookassax import YooKassa as SyncYooKassa
from yookassax.unknown_fields import forget_unknown_fields

from sandbox.yookassa import YooKassaServer
from tests.support.yookassa_shop import SECRET_KEY, SHOP_ID, receipt

ORDER = {
    "amount": {"value": "100.00", "currency": "RUB"},
    "confirmation": {"type": "redirect", "return_url": "https://www.example.com/return_url"},
    "capture": True,
    "description": "Заказ № 1",
}


@pytest.fixture
def server() -> Iterator[YooKassaServer]:
    with YooKassaServer(shop_id=SHOP_ID, secret_key=SECRET_KEY) as running:
        yield running


@pytest.fixture
def sdk(server: YooKassaServer) -> Iterator[YooKassaServer]:
    """The official SDK keeps its configuration for the whole process."""
    names = ("account_id", "secret_key", "api_url")
    before = {name: getattr(official.Configuration, name) for name in names}
    for name, value in zip(names, (SHOP_ID, SECRET_KEY, server.api_url), strict=True):
        setattr(official.Configuration, name, value)
    yield server
    for name, value in before.items():
        setattr(official.Configuration, name, value)


def test_the_official_sdk_pays_lists_and_refunds(sdk: YooKassaServer) -> None:
    created = official.Payment.create(ORDER | {"receipt": receipt("100.00")}, "an-order")
    assert (created.status, created.confirmation.type) == ("pending", "redirect")
    sdk.succeed(created.id, method="sbp")
    paid = official.Payment.find_one(created.id)
    assert (paid.status, paid.payment_method.type, paid.amount.value) == ("succeeded", "sbp", Decimal(100))
    query = {"limit": 5, "payment_method": "sbp", "captured_at.gte": "2020-01-01T00:00:00.000Z"}
    assert [one.id for one in official.Payment.list(query).items] == [created.id]
    refund = official.Refund.create({"payment_id": created.id, "amount": {"value": "1.00", "currency": "RUB"}})
    assert (refund.status, official.Refund.find_one(refund.id).payment_id) == ("succeeded", created.id)
    assert [one.id for one in official.Refund.list({"payment_id": created.id}).items] == [refund.id]
    assert official.Settings.get_account_settings().account_id == SHOP_ID


@pytest.mark.parametrize("kind", [ConfirmationType.QR, ConfirmationType.EXTERNAL, ConfirmationType.EMBEDDED])
def test_the_official_sdk_builds_what_is_understood(sdk: YooKassaServer, kind: str) -> None:
    builder = PaymentRequestBuilder()
    builder.set_amount({"value": "10.00", "currency": Currency.RUB}).set_capture(False)
    builder.set_confirmation({"type": kind}).set_metadata({"order": "1"}).set_description("Заказ")
    created = official.Payment.create(builder.build())
    assert created.confirmation.type == kind
    sdk.wait_for_capture(created.id)
    part = {"amount": {"value": "6.00", "currency": "RUB"}}
    assert official.Payment.capture(created.id, part).amount.value == Decimal(6)


def test_the_official_sdk_reads_notifications(sdk: YooKassaServer) -> None:
    created = official.Payment.create(ORDER)
    body = {"type": "notification", "event": "payment.succeeded", "object": sdk.succeed(created.id)}
    assert WebhookNotification(body).object.payment_method.card.last4 == "4444"


def test_async_yookassa_pays_lists_and_refunds(server: YooKassaServer) -> None:
    async def calls() -> None:
        async with YooKassaClient(account_id=SHOP_ID, secret_key=SECRET_KEY, api_url=server.api_url) as client:
            ids = []
            for method in ("bank_card", "sbp", "yoo_money", "sberbank", "tinkoff_bank"):
                created = await client.payment.create(ORDER)
                server.succeed(str(created.id), method=method)
                assert (await client.payment.find_one(str(created.id))).payment_method.type == method
                ids.append(created.id)
            assert [one.id for one in (await client.payment.list()).items] == ids[::-1]
            amount = {"value": "1.00", "currency": "RUB"}
            refund = await client.refund.create({"payment_id": ids[0], "amount": amount, "metadata": {"a": "b"}})
            assert (await client.refund.find_one(str(refund.id))).status == "succeeded"
            assert len((await client.refund.list()).items) == 1
            assert str((await client.me.get_me()).account_id) == SHOP_ID

    asyncio.run(calls())


def test_yookassax_knows_every_member_that_it_is_sent(server: YooKassaServer) -> None:
    forget_unknown_fields()
    with SyncYooKassa(shop_id=SHOP_ID, secret_key=SECRET_KEY, api_url=server.api_url) as client:
        reserved = client.payments.create(ORDER | {"capture": False, "merchant_customer_id": "anna"})
        assert reserved.id
        server.wait_for_capture(reserved.id, method="yoo_money")
        assert client.payments.capture(reserved.id).status == "succeeded"
        given_up = client.payments.create(ORDER | {"capture": False, "confirmation": {"type": "qr"}})
        assert given_up.id
        server.wait_for_capture(given_up.id)
        ended = client.payments.cancel(given_up.id).cancellation_details
        assert ended
        assert ended.reason == "canceled_by_merchant"
        assert [one.id for one in client.payments.iterate()] == [given_up.id, reserved.id]
        refund = client.refunds.create({"payment_id": reserved.id, "amount": {"value": "1.00", "currency": "RUB"}})
        assert [one.id for one in client.refunds.iterate()] == [refund.id]
        assert client.settings.get().account_id == SHOP_ID


# It builds its login with what its own HTTP library has come to advise against.
@pytest.mark.filterwarnings("ignore:.*encode_basic_auth:DeprecationWarning")
def test_aioyookassa_pays_lists_and_refunds(server: YooKassaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    # Its address is a constant of the class.
    monkeypatch.setattr(AioYooKassa, "BASE_URL", server.api_url)

    async def calls() -> None:
        async with AioYooKassa(SECRET_KEY, SHOP_ID) as client:
            order = CreatePaymentParams(
                amount=PaymentAmount(value="100.00", currency="RUB"),
                confirmation=Confirmation(type="redirect", return_url="https://example.org/"),
                capture=True,
                description="Заказ № 1",
            )
            created = await client.payments.create_payment(order)
            server.succeed(created.id)
            assert (await client.payments.get_payment(created.id)).status == "succeeded"
            found = await client.payments.get_payments(GetPaymentsParams(limit=5))
            assert [one.id for one in found.list] == [created.id]
            amount = PaymentAmount(value="1.00", currency="RUB")
            refund = await client.refunds.create_refund(CreateRefundParams(payment_id=created.id, amount=amount))
            assert [one.id for one in (await client.refunds.get_refunds()).list] == [refund.id]
            assert (await client.get_me()).account_id == SHOP_ID

    asyncio.run(calls())
