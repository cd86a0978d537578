"""Fiscal receipts (54-FZ): what goes out with a refund, and who learns of a receipt that is not registered."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from payments.checking.by_staff import clear_attention
from payments.checking.sync import sync_payment
from payments.errors import ReceiptImpossible
from payments.ledger.marks import open_marks
from payments.models import Checkout, PaymentEvent, Refund, User
from payments.provider import provider
from payments.refunds.request import request_refund
from payments.states import Attention, Door, EventKind, ProviderStatus, RefundStatus
from sandbox.yookassa import YooKassaServer
from tests.support.databases import ClonedDatabase
from tests.support.payment_deliveries import create_at_yookassa, shop_at_yookassa, start_payment, work_off
from tests.support.yookassa_shop import receipt, refund_body

PRICE = "4500.00"


@pytest.fixture
def shop(database: ClonedDatabase, settings: Settings) -> Iterator[YooKassaServer]:
    with shop_at_yookassa(settings) as server:
        # The tax office takes its time; here it answers when a test says so.
        server.shop.register_after = None
        yield server


@pytest.fixture
def paid(shop: YooKassaServer) -> Checkout:
    """Paid through us, with a receipt."""
    checkout = start_payment(request_body={"receipt": receipt(PRICE)})
    Checkout.objects.filter(pk=checkout.pk).update(external_id=None, provider_status="")
    body = {**refund_body("", PRICE), "capture": True, "confirmation": {"type": "embedded"}}
    del body["payment_id"]
    body |= {"metadata": {"payment_id": str(checkout.pk)}, "receipt": receipt(PRICE)}
    external_id = provider().create_payment(body, key=str(checkout.pk)).id
    Checkout.objects.filter(pk=checkout.pk).update(external_id=external_id, provider_status=ProviderStatus.PENDING)
    shop.succeed(external_id)
    sync_payment(checkout.pk, door=Door.QUEUE)
    checkout.refresh_from_db()
    return checkout


def taken_over(shop: YooKassaServer) -> Checkout:
    """Paid through the system before us: what it sent is not known here."""
    checkout = start_payment(request_body=None)
    shop.succeed(str(checkout.external_id))
    sync_payment(checkout.pk, door=Door.QUEUE)
    checkout.refresh_from_db()
    return checkout


def refund(checkout: Checkout, amount: str | None, **options: Any) -> Refund:
    wanted = None if amount is None else Decimal(amount)
    return request_refund(payment_id=checkout.pk, amount=wanted, reason="", actor_id=None, door=Door.STAFF, **options)


@pytest.fixture
def sent(shop: YooKassaServer, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The refunds that YooKassa was asked for."""
    bodies: list[dict[str, Any]] = []
    honest = shop.shop.create_refund

    def create_refund(body: dict[str, Any]) -> Any:
        bodies.append(body)
        return honest(body)

    monkeypatch.setattr(shop.shop, "create_refund", create_refund)
    return bodies


def is_due(checkout: Checkout) -> bool:
    """Whether YooKassa is going to be asked again by itself."""
    return Checkout.objects.filter(pk=checkout.pk, next_check_at__isnull=False).exists()


def reasons(checkout: Checkout) -> list[str]:
    return [mark.reason for mark in open_marks(checkout.pk)]


def test_a_refund_of_the_whole_payment_brings_no_receipt(sent: list[dict[str, Any]], paid: Checkout) -> None:
    refund(paid, None)
    work_off()
    (body,) = sent
    assert "receipt" not in body
    assert Refund.objects.get().status == RefundStatus.SUCCEEDED


def test_every_part_brings_its_receipt_and_so_does_the_last_one(sent: list[dict[str, Any]], paid: Checkout) -> None:
    for amount in ("1500.00", "2000.50", None):
        refund(paid, amount)
        work_off()
    assert [body["receipt"]["items"][0]["amount"]["value"] for body in sent] == ["1500.00", "2000.50", "999.50"]
    assert {body["receipt"]["customer"]["email"] for body in sent} == {"anna@example.org"}
    assert set(Refund.objects.values_list("status", flat=True)) == {RefundStatus.SUCCEEDED}


def test_the_receipt_for_a_part_of_an_older_payment_is_made_anew(
    shop: YooKassaServer, sent: list[dict[str, Any]], settings: Settings
) -> None:
    settings.YUKASSA_VAT_CODE, settings.YUKASSA_TAX_SYSTEM_CODE = 7, 2
    checkout = taken_over(shop)
    refund(checkout, "100.00")
    work_off()
    (body,) = sent
    (item,) = body["receipt"]["items"]
    assert (item["amount"]["value"], item["vat_code"], item["quantity"]) == ("100.00", 7, 1)
    assert (body["receipt"]["customer"], body["receipt"]["tax_system_code"]) == ({"email": "parent@example.org"}, 2)
    assert reasons(checkout) == [Attention.NOT_FULFILLED]


def test_where_no_receipt_can_be_made_staff_are_told_before_anything_is_sent(
    shop: YooKassaServer, sent: list[dict[str, Any]]
) -> None:
    checkout = taken_over(shop)
    User.objects.filter(pk=checkout.user_id).update(email=None, phone=None)
    with pytest.raises(ReceiptImpossible):
        refund(checkout, "100.00")
    assert not Refund.objects.exists()
    made = refund(checkout, "100.00", without_receipt=True)
    assert Attention.REFUND_RECEIPT_MISSING in reasons(checkout)
    work_off()
    assert ["receipt" in body for body in sent] == [False]
    # Only a person can say that the receipt was made by hand.
    assert Attention.REFUND_RECEIPT_MISSING in reasons(checkout)
    (mark,) = [mark for mark in open_marks(checkout.pk) if mark.reason == Attention.REFUND_RECEIPT_MISSING]
    assert str(made.pk) in mark.note


def test_the_whole_sum_needs_no_contact(shop: YooKassaServer) -> None:
    checkout = taken_over(shop)
    User.objects.filter(pk=checkout.user_id).update(email=None, phone=None)
    refund(checkout, None)
    work_off()
    assert Refund.objects.get().status == RefundStatus.SUCCEEDED
    assert reasons(checkout) == []


def test_a_receipt_is_looked_after_until_it_is_registered(shop: YooKassaServer, paid: Checkout) -> None:
    assert (paid.receipt_registration, reasons(paid)) == ("pending", [Attention.NOT_FULFILLED])
    assert is_due(paid)
    shop.register_receipt(str(paid.external_id))
    sync_payment(paid.pk, door=Door.RECONCILIATION)
    paid.refresh_from_db()
    assert paid.receipt_registration == "succeeded"
    assert not is_due(paid)


@pytest.mark.parametrize("how", ["canceled", "pending for three days"])
def test_a_receipt_that_was_not_registered_needs_a_person_until_it_is(
    shop: YooKassaServer, paid: Checkout, how: str
) -> None:
    if how == "canceled":
        shop.register_receipt(str(paid.external_id), state="canceled")
    else:
        shop.shop._payments[str(paid.external_id)].captured_at = timezone.now() - timedelta(days=3, minutes=1)
    sync_payment(paid.pk, door=Door.RECONCILIATION)
    (mark,) = [mark for mark in open_marks(paid.pk) if mark.reason == Attention.RECEIPT_FAILED]
    assert mark.note
    paid.refresh_from_db()
    # YooKassa's support may mend it, and tells nobody.
    assert is_due(paid)
    shop.register_receipt(str(paid.external_id))
    sync_payment(paid.pk, door=Door.RECONCILIATION)
    assert Attention.RECEIPT_FAILED not in reasons(paid)
    paid.refresh_from_db()
    assert not is_due(paid)


def test_two_days_are_no_reason_yet(shop: YooKassaServer, paid: Checkout) -> None:
    shop.shop._payments[str(paid.external_id)].captured_at = timezone.now() - timedelta(days=2, hours=23)
    sync_payment(paid.pk, door=Door.RECONCILIATION)
    assert Attention.RECEIPT_FAILED not in reasons(paid)


def test_the_receipt_of_a_refund_is_kept_and_looked_after_too(shop: YooKassaServer, paid: Checkout) -> None:
    shop.register_receipt(str(paid.external_id))
    made = refund(paid, "1500.00")
    work_off()
    made.refresh_from_db()
    assert (made.status, made.receipt_registration) == (RefundStatus.SUCCEEDED, "pending")
    paid.refresh_from_db()
    assert is_due(paid)
    shop.register_receipt(str(made.external_id), state="canceled")
    sync_payment(paid.pk, door=Door.RECONCILIATION)
    (mark,) = [mark for mark in open_marks(paid.pk) if mark.reason == Attention.REFUND_RECEIPT_FAILED]
    assert str(made.pk) in mark.note
    shop.register_receipt(str(made.external_id))
    sync_payment(paid.pk, door=Door.RECONCILIATION)
    made.refresh_from_db()
    paid.refresh_from_db()
    assert made.receipt_registration == "succeeded"
    assert not is_due(paid)
    assert Attention.REFUND_RECEIPT_FAILED not in reasons(paid)
    told = PaymentEvent.objects.filter(kind=EventKind.RECEIPT_CHANGED, data__refund=str(made.pk)).order_by("pk")
    assert [event.data["state"] for event in told] == ["pending", "canceled", "succeeded"]


def test_a_refund_whose_receipt_waits_for_three_days_needs_a_person(shop: YooKassaServer, paid: Checkout) -> None:
    made = refund(paid, None)
    work_off()
    sync_payment(paid.pk, door=Door.RECONCILIATION)
    assert reasons(paid) == []
    Refund.objects.filter(pk=made.pk).update(created_at=timezone.now() - timedelta(days=3, minutes=1))
    sync_payment(paid.pk, door=Door.RECONCILIATION)
    assert reasons(paid) == [Attention.REFUND_RECEIPT_FAILED]


def test_a_receipt_of_which_nothing_was_said_at_once_is_asked_for_again(
    shop: YooKassaServer, paid: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.register_receipt(str(paid.external_id))
    honest = shop.shop.list_refunds

    def silent(query: Any) -> Any:
        page = honest(query)
        for item in page["items"]:
            item.pop("receipt_registration")
        return page

    monkeypatch.setattr(shop.shop, "list_refunds", silent)
    made = refund(paid, "1500.00")
    work_off()
    assert is_due(paid)
    monkeypatch.setattr(shop.shop, "list_refunds", honest)
    shop.register_receipt(shop.shop.list_refunds({})["items"][0]["id"])
    sync_payment(paid.pk, door=Door.RECONCILIATION)
    made.refresh_from_db()
    assert made.receipt_registration == "succeeded"
    assert not is_due(paid)


def test_what_a_person_did_about_a_receipt_is_not_asked_for_again(shop: YooKassaServer, paid: Checkout) -> None:
    shop.register_receipt(str(paid.external_id), state="canceled")
    sync_payment(paid.pk, door=Door.RECONCILIATION)
    clear_attention(payment_id=paid.pk, actor_id=7, note="чек коррекции пробит")
    sync_payment(paid.pk, door=Door.RECONCILIATION)
    paid.refresh_from_db()
    assert (paid.attention, paid.next_check_at) == ("", None)


def test_a_payment_that_was_cancelled_has_no_receipt_to_look_after(shop: YooKassaServer) -> None:
    checkout = start_payment()
    shop.decline(create_at_yookassa({}).id)
    shop.decline(str(checkout.external_id))
    sync_payment(checkout.pk, door=Door.QUEUE)
    assert reasons(checkout) == []
